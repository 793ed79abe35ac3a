"""The whole way: units in, what a scheduler takes out, and what became of every key. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coreops.errors import InputError, did_you_mean
from coreops.units import glob, names
from coreops.units.convert import nomad, swarm
from coreops.units.convert.loss import Loss, Note, unique
from coreops.units.convert.service import Service, read
from coreops.units.loading import Loaded
from coreops.units.traps import Trap, traps

Write = Callable[[Sequence[Service], Mapping[str, str]], dict[str, Any]]
TARGETS: Mapping[str, Write] = {"swarm": swarm.write, "nomad": nomad.write}


@dataclass(frozen=True, slots=True)
class Converted:
    """documents: what to hand to the scheduler's API, one for each service or job."""

    documents: tuple[dict[str, Any], ...]
    losses: tuple[Loss, ...]
    notes: tuple[Note, ...]
    traps: tuple[Trap, ...]


def convert(
    units: Sequence[Loaded], target: str, machines: Mapping[str, str] | None = None, *, apart: bool = False
) -> Converted:
    """machines: machine-id -> host. apart: a document for each unit, in the order of their names, also for instances
    that are the same. Raises InputError for a unit that is no container, or an unknown target.
    """
    if target not in TARGETS:
        hint = did_you_mean(target, TARGETS) or f"one of: {', '.join(TARGETS)}"
        raise InputError(f"unknown target {target!r:.40}", next=hint)
    groups: dict[tuple[object, ...], list[Service]] = {}
    services = []
    for unit in sorted(units, key=lambda unit: names.natural(unit.name.full)):
        service = read(unit)
        services.append(service)
        wish = unit.wish
        asked = (wish.machine_id, tuple(sorted((k, tuple(sorted(v))) for k, v in wish.metadata.items())))
        single = apart or not unit.name.instance or wish.everywhere
        alone = (unit.name.full,) if single else (unit.name.template,)
        groups.setdefault((*alone, *service.same(), *asked, wish.conflicts, wish.machine_of), []).append(service)
    bases = [key[0] for key in groups]
    documents = []
    called: dict[str, str] = {}
    for key, group in groups.items():
        # several groups of one template cannot all have the template's name
        parts = [group] if bases.count(key[0]) == 1 else [[each] for each in group]
        for part in parts:
            documents.append(TARGETS[target](part, machines or {}))
            if not apart:
                part[0].losses += _meetings(part, services)
                _check_name(called, str(documents[-1].get("Job", documents[-1])["Name"]), part[0].wish.name)
    seen = {(trap.rule, trap.at): trap for unit in units for trap in traps(unit.file)}
    return Converted(
        tuple(documents),
        unique(loss for service in services for loss in service.losses),
        tuple(dict.fromkeys(note for service in services for note in service.notes)),
        tuple(seen.values()),
    )


def _check_name(known: dict[str, str], name: str, unit: str) -> None:
    """Raises InputError when two of them would have one name. known: name -> unit; gets this one."""
    if (other := known.setdefault(name, unit)) != unit:
        raise InputError(
            f"{other} and {unit} would both be called {name}",
            why="the second one would take the place of the first",
            next="rename one of them, or name more instances of the template",
        )


def _meetings(part: Sequence[Service], services: Sequence[Service]) -> list[Loss]:
    """Instances that keep away from each other, and became services of their own because they differ."""
    own = {each.wish.name for each in part}
    first = part[0]
    return [
        Loss(
            f"Conflicts={pattern}",
            f"{first.wish.name} and {other.wish.name} differ, so they are two services, which may meet on a node",
            "make them the same but for their names, or give each its own MachineMetadata",
            first.places.get("Conflicts", first.at),
        )
        for pattern in first.wish.conflicts
        if glob.matches(pattern, first.wish.name)
        for other in services
        if other.wish.name not in own and glob.matches(pattern, other.wish.name)
    ][:1]
