"""The answer of ``scripts/survey.sh`` as an Observation. Pure; says in words what speaks against an upgrade."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from coreops.errors import HostFailed
from coreops.model import Record
from coreops.upgrade.guard import FOLDER
from coreops.upgrade.observation import Observation, Ticket
from coreops.upgrade.slots import agents, choice, ticket
from coreops.upgrade.slots.choice import Choice

_BOARDS = {"x86_64": "amd64-usr", "aarch64": "arm64-usr"}

Lines = defaultdict[str, list[str]]


def read(record: Record) -> Observation:
    """Raises HostFailed when the node could not be looked at."""
    if record.state != "ok":
        said = record.stderr.decode(errors="backslashreplace").strip()
        raise HostFailed("the node's slots cannot be told", why=said or f"exit {record.rc}")
    lines: Lines = defaultdict(list)
    for line in record.stdout.decode(errors="backslashreplace").splitlines():
        key, _, value = line.partition(" ")
        lines[key].append(value)
    (booted, slot), (passive, other) = _slot(lines, "booted"), _slot(lines, "passive")
    kind = _last(lines, "kind")
    if not slot or not lines["boot_id"] or not lines["machine_id"] or kind not in choice.READERS:
        raise HostFailed("the node's answer about its slots is cut off", next="look at its journal, then try again")
    bits = choice.READERS[kind](lines["slot"], lines["entry"])
    labels = {booted: slot, passive: other}
    left = _ticket(lines)
    return Observation(
        machine_id=_last(lines, "machine_id"),
        boot_id=_last(lines, "boot_id"),
        version=_last(lines, "version"),
        board=next(filter(None, lines["board"]), "") or _board(_last(lines, "arch")),
        slot=slot,
        passive=other,
        good=booted in bits.good,
        next=labels.get(bits.next, bits.stranger) if bits.next else bits.stranger,
        fallback=passive in bits.good,
        passive_version=_last(lines, "passive_version"),
        passive_size=int(_last(lines, "passive_size") or 0),
        staged=_last(lines, "staged"),
        ticket=left,
        failed_units=tuple(sorted(set(lines["failed"]))),
        blockers=tuple(_blockers(lines, bits, labels, left)),
        uptime=float(_last(lines, "uptime") or 0),
    )


def _last(lines: Lines, key: str) -> str:
    return lines[key][-1].strip() if lines[key] else ""


def _slot(lines: Lines, key: str) -> tuple[int, str]:
    """A slot's partition number and label; 0 and nothing when there is none."""
    number, _, label = _last(lines, key).partition(" ")
    return (int(number), label) if number.isdigit() else (0, "")


def _board(arch: str) -> str:
    return _BOARDS.get(arch, f"{arch}-usr" if arch else "")


def _ticket(lines: Lines) -> Ticket | None:
    if not lines["ticket"]:
        return None
    try:
        return ticket.from_text("\n".join(lines["ticket"]))
    except ValueError as error:
        raise HostFailed(
            "the ticket that an upgrade left on the node cannot be read",
            why=f"{FOLDER}/ticket: {error}",
            next="when no rollout is under way, look at the slots' bits and remove the file",
        ) from error


def _blockers(lines: Lines, bits: Choice, labels: Mapping[int, str], left: Ticket | None) -> Iterator[str]:
    if damaged := _last(lines, "damaged"):
        yield f"the primary partition table is damaged ({damaged}): repair it with cgpt repair, or sgdisk"
    booted, passive = labels
    if not passive:
        yield "the disk has no second slot: only a disk of CoreOS's layout can be upgraded this way"
    if bits.stranger:
        yield f"the boot entry {bits.stranger} boots next, which is no slot's: remove it, or give it a later sort-key"
    elif not bits.next:
        yield "no slot would boot: mark the running one good, for example cgpt add -i N -P 1 -S 1"
    elif bits.next != booted and left is None:
        yield (
            f"{labels[bits.next]} boots next, and coreops did not arrange that: "
            f"reboot into it first, or set the priority of {labels[booted]} above it"
        )
    for each in lines["default"]:
        yield f"systemd-boot is told which entry to boot ({each}), so nothing would fall back: remove that"
    for each in lines["unified"]:
        yield f"systemd-boot may boot {each} instead of a slot: remove it"
    if lines["readonly"]:
        yield f"{_last(lines, 'readonly')} cannot be written: coreops keeps what it needs after a reboot there"
    yield from agents.blockers(_units(lines["unit"]), lines["strategy"], lines["coordinator"], lines["agent"])
    if _last(lines, "kind") == "sdboot":
        yield from agents.blesser(_units(lines["unit"]))
    for pending in lines["pending"]:
        yield f"something asks for a reboot already ({pending}): reboot the node, or remove the file, first"


def _units(rows: Sequence[str]) -> dict[str, dict[str, str]]:
    """Read ``systemctl show`` of several units: KEY=VALUE lines, an empty one between two units."""
    units: dict[str, dict[str, str]] = {}
    unit: dict[str, str] = {}
    for row in [*rows, ""]:
        key, _, value = row.partition("=")
        if row.strip():
            unit[key] = value.strip()
        elif unit:
            units[unit.get("Id", "")] = unit
            unit = {}
    return units
