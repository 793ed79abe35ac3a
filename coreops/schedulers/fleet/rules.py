"""fleet's rules of scheduling, as its engine has them: what a unit asks of a machine, and which machine could take it.

Pure. Written after fleet 1.0's ``job/job.go`` and ``agent/state.go``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from coreops.schedulers.fleet import glob
from coreops.schedulers.fleet.wire import Machine, Unit

SECTION = "X-Fleet"
_TRUE = ("true", "yes", "1", "on", "t")


@dataclass(frozen=True, slots=True)
class Asks:
    """What the [X-Fleet] section of a unit says. metadata: key -> the values of which one must be there."""

    id: str = ""
    peers: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    metadata: Mapping[str, frozenset[str]] = field(default_factory=dict)
    everywhere: bool = False


def asks(unit: Unit) -> Asks:
    """Read a unit's options, legacy names too, with the specifiers filled in."""
    told: dict[str, list[str]] = {}
    for option in unit.options:
        if option.section == SECTION:
            told.setdefault(option.name, []).append(_filled(option.value, unit.name))

    def values(*names: str) -> list[str]:
        return [value for name in names for value in told.get(name, ())]

    metadata: dict[str, set[str]] = {}
    for pair in values("X-ConditionMachineMetadata", "MachineMetadata"):
        key, *rest = pair.split("=")
        if key and len(rest) == 1 and rest[0]:
            metadata.setdefault(key, set()).add(rest[0])
    pinned = values("MachineID") or values("X-ConditionMachineID") or values("X-ConditionMachineBootID")
    return Asks(
        id=pinned[0] if pinned else "",
        peers=tuple(values("X-ConditionMachineOf", "MachineOf")),
        conflicts=tuple(word for value in values("X-Conflicts", "Conflicts") for word in value.split()),
        replaces=tuple(values("Replaces")),
        metadata={key: frozenset(found) for key, found in metadata.items()},
        everywhere=(values("Global") or [""])[-1].lower() in _TRUE,
    )


def fits(asked: Mapping[str, frozenset[str]], machine: Machine) -> bool:
    """Does the machine's metadata have what is asked?"""
    return all(machine.metadata.get(key) in values for key, values in asked.items())


def matches(id: str, machine: Machine) -> bool:
    """fleet takes the whole id or its first 8 characters."""
    return id in (machine.id, machine.id[:8])


def conflict(name: str, asked: Asks, others: Mapping[str, Asks]) -> str:
    """The first of the units on a machine that cannot stand beside this one, "" when all can. Goes both ways."""
    for other, its in others.items():
        if other == name:
            continue
        if any(glob.match(pattern, other) for pattern in asked.conflicts):
            return other
        if any(glob.match(pattern, name) for pattern in its.conflicts):
            return other
    return ""


def obstacle(name: str, asked: Asks, machine: Machine, others: Mapping[str, Asks]) -> str:
    """Why the machine, with these units on it, cannot take the unit; "" when it can."""
    if asked.id and not matches(asked.id, machine):
        return f"it is not machine {asked.id}"
    for key, values in asked.metadata.items():
        if machine.metadata.get(key) not in values:
            has = f"{key} is {machine.metadata[key]}" if key in machine.metadata else f"it has no {key}"
            return f"{has}, {' or '.join(sorted(values))} is asked for"
    for peer in asked.peers:
        if peer not in others:
            return f"{peer} is not there"
    other = conflict(name, asked, others)
    return f"conflict with {other}" if other else ""


def _filled(value: str, name: str) -> str:
    whole = name.rpartition(".")[0]
    prefix, _, instance = whole.partition("@")
    for mark, text in (("%n", name), ("%N", whole), ("%p", prefix), ("%i", instance)):
        value = value.replace(mark, text)
    return value


def together(names: Sequence[str], asked: Mapping[str, Asks]) -> tuple[tuple[str, ...], ...]:
    """Groups of units that have to be on one machine (MachineOf), each in the order in which they can be placed."""
    left, groups = list(names), []
    while left:
        group = [left.pop(0)]
        grown = True
        while grown:
            near = [name for name in left if any(name in asked[one].peers or one in asked[name].peers for one in group)]
            grown = bool(near)
            group += near
            left = [name for name in left if name not in near]
        groups.append(tuple(sorted(group, key=lambda name: (_depth(name, asked, ()), names.index(name)))))
    return tuple(groups)


def _depth(name: str, asked: Mapping[str, Asks], above: tuple[str, ...]) -> int:
    peers = [peer for peer in asked[name].peers if peer in asked and peer not in (*above, name)]
    return 1 + max((_depth(peer, asked, (*above, name)) for peer in peers), default=-1)
