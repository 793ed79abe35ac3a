"""What coreops remembers of a host, in fleet itself: a unit that is a note and, while the host is cordoned, a barrier.

Pure. fleet has no cordon, but it never puts a unit beside one that it conflicts with. So the note is a unit that only
the host's machine can take, that is loaded and never started, and that conflicts with every unit but those that are on
the machine already. It says who cordoned the host, with which token, and what a drain has stopped to move.

A note is never changed: a newer one with a higher number is submitted and then the older one destroyed. fleet before
0.13 cannot change units, and like this what is remembered is there at every moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast, get_args

from coreops.schedulers.fleet import glob, names
from coreops.schedulers.fleet.rules import SECTION
from coreops.schedulers.fleet.wire import DESIRED, Desired, Option, Unit
from coreops.schedulers.protocol import By

OWN = "X-Coreops"
Stage = Literal["", "stopping", "starting", "drained", "removed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """by: "" for a host that is not cordoned. moving: units that a drain moves, and what they shall be afterwards.

    stage: of the drain: the moving units are being stopped here, are being started elsewhere, nothing is left; or the
    host is gone for good. held: units that could not move, stopped until ``uncordon``. over: barriers of somebody else
    that this one stands in for. keep: the units that may stay on the machine.
    """

    host: str
    number: int = 0
    by: By | Literal[""] = ""
    token: int = 0
    stage: Stage = ""
    moving: tuple[tuple[str, Desired], ...] = ()
    held: tuple[tuple[str, Desired], ...] = ()
    over: tuple[str, ...] = ()
    keep: frozenset[str] = frozenset()

    @property
    def unit(self) -> str:
        return names.unit(self.host, self.number)

    @property
    def desired(self) -> Desired:
        return "loaded" if self.by else "inactive"

    def options(self) -> tuple[Option, ...]:
        """The unit."""
        made = [
            Option("Unit", "Description", f"What coreops remembers of {names.spelled(self.host)}"),
            Option("Service", "Type", "oneshot"),
            Option("Service", "ExecStart", "/bin/true"),
            Option(SECTION, "MachineMetadata", f"{names.KEY}={names.spelled(self.host)}"),
            Option(OWN, "By", self.by or "nobody"),
            Option(OWN, "Token", str(self.token)),
        ]
        if self.stage:
            made.append(Option(OWN, "Stage", self.stage))
        made += [Option(OWN, "Moving", f"{desired} {unit}") for unit, desired in self.moving]
        made += [Option(OWN, "Held", f"{desired} {unit}") for unit, desired in self.held]
        made += [Option(OWN, "Over", unit) for unit in self.over]
        if self.by:
            made += [Option(OWN, "Keep", unit) for unit in sorted(self.keep)]
            made += [Option(SECTION, "Conflicts", each) for each in glob.all_but(self.keep, (names.PREFIX,))]
        return tuple(made)


def read(unit: Unit) -> Note | None:
    """The note that a unit is; None for a unit that is none."""
    found = names.of_unit(unit.name)
    if found is None or not unit.values(OWN, "By"):
        return None
    by, token = unit.values(OWN, "By")[-1], unit.values(OWN, "Token")[-1:] or ("0",)
    stage = (unit.values(OWN, "Stage") or ("",))[-1]
    return Note(
        host=found[0],
        number=found[1],
        by=cast(By, by) if by in ("upgrade", "operator") else "",
        token=int(token[0]) if token[0].isdigit() else 0,
        stage=cast(Stage, stage) if stage in get_args(Stage) else "",
        moving=_pairs(unit.values(OWN, "Moving")),
        held=_pairs(unit.values(OWN, "Held")),
        over=unit.values(OWN, "Over"),
        keep=frozenset(unit.values(OWN, "Keep")),
    )


def of(host: str, units: Iterable[Unit]) -> tuple[Note, ...]:
    """All notes of a host, the newest last: only that one counts."""
    own = (unit for unit in units if (named := names.of_unit(unit.name)) is not None and named[0] == host)
    found = [note for unit in own if (note := read(unit)) is not None]
    return tuple(sorted(found, key=lambda note: note.number))


def hosts(units: Iterable[Unit]) -> tuple[str, ...]:
    """All hosts that something is remembered of."""
    return tuple(sorted({found[0] for unit in units if (found := names.of_unit(unit.name)) is not None}))


def _pairs(values: Iterable[str]) -> tuple[tuple[str, Desired], ...]:
    found = [value.partition(" ")[::2] for value in values]
    return tuple((name, desired) for desired, name in found if desired in DESIRED)
