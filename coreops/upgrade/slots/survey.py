"""The answer of ``scripts/survey.sh`` as an Observation. Pure; says in words what speaks against an upgrade."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from coreops.errors import HostFailed
from coreops.gptprio import Slot, choose
from coreops.model import Record
from coreops.upgrade.guard import FOLDER
from coreops.upgrade.observation import Observation, Ticket
from coreops.upgrade.slots import agents, ticket

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
    slots = [_slot(lines, line) for line in lines["slot"]]
    booted = next((slot for slot in slots if slot.number == _number(lines, "booted")), None)
    if booted is None or not lines["boot_id"] or not lines["machine_id"]:
        raise HostFailed("the node's answer about its slots is cut off", next="look at its journal, then try again")
    passive = next((slot for slot in slots if slot.number != booted.number), None)
    choice = choose(slots)
    left = _ticket(lines)
    return Observation(
        machine_id=_last(lines, "machine_id"),
        boot_id=_last(lines, "boot_id"),
        version=_last(lines, "version"),
        board=next(filter(None, lines["board"]), "") or _board(_last(lines, "arch")),
        slot=booted.label,
        passive=passive.label if passive else "",
        good=booted.successful and booted.priority > 0,
        next=choice.slot.label if choice else "",
        fallback=bool(passive and passive.successful and passive.priority),
        passive_version=_last(lines, "passive_version"),
        passive_size=int(_last(lines, "passive_size") or 0),
        staged=_last(lines, "staged"),
        ticket=left,
        failed_units=tuple(sorted(set(lines["failed"]))),
        blockers=tuple(_blockers(lines, booted, passive, choice.slot if choice else None, left)),
        uptime=float(_last(lines, "uptime") or 0),
    )


def _last(lines: Lines, key: str) -> str:
    return lines[key][-1].strip() if lines[key] else ""


def _number(lines: Lines, key: str) -> int:
    number = _last(lines, key).partition(" ")[0]
    return int(number) if number.isdigit() else 0


def _slot(lines: Lines, line: str) -> Slot:
    number, priority, tries, successful = (int(word) for word in line.split())
    names = (_last(lines, key).partition(" ") for key in ("booted", "passive"))
    label = next((label for each, _, label in names if each == str(number)), f"partition-{number}")
    return Slot(number, label, priority, tries, bool(successful))


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


def _blockers(
    lines: Lines, booted: Slot, passive: Slot | None, chosen: Slot | None, left: Ticket | None
) -> Iterator[str]:
    if damaged := _last(lines, "damaged"):
        yield f"the primary partition table is damaged ({damaged}): repair it with cgpt repair, or sgdisk"
    if passive is None:
        yield "the disk has no second slot: only a disk of CoreOS's layout can be upgraded this way"
    if chosen is None:
        yield "no slot would boot: mark the running one good, for example cgpt add -i N -P 1 -S 1"
    elif chosen.number != booted.number and left is None:
        yield (
            f"{chosen.label} boots next, and coreops did not arrange that: "
            f"reboot into it first, or set the priority of {booted.label} above it"
        )
    if lines["readonly"]:
        yield f"{_last(lines, 'readonly')} cannot be written: coreops keeps what it needs after a reboot there"
    yield from agents.blockers(_units(lines["unit"]), lines["strategy"], lines["coordinator"], lines["agent"])
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
