"""Is there a node for each of these units? What services ask for, in the words of ``coreops.units.placement``. Pure.

Only what coreops writes counts: constraints on labels, replicas a node, ports of a node. So nothing is refused that
Swarm would place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from coreops.schedulers.swarm.state import Entry, Task
from coreops.units import placement
from coreops.units.placement import Machine, Unplaced, Wish

_LABEL = "node.labels."


def unplaced(
    services: Sequence[tuple[Sequence[str], Mapping[str, Any]]],
    nodes: Sequence[Entry],
    others: Sequence[Task],
    names: Mapping[str, str],
) -> tuple[Unplaced, ...]:
    """Which units could be placed nowhere now. services: units, and the spec of the service that they are to be.

    others: tasks of other services, which have their ports. names: id -> those services.
    """
    machines = dict(_machines(nodes))
    wanted = {wish.name: wish for units, spec in services for wish in _wishes(units, spec, nodes)}
    able = {each.id for each in nodes if each.state == "ready" and each.spec.availability != "drain"}
    there = [task for task in others if task.ports and task.alive and task.node in able]
    known = [Wish(name=_called(task, names), takes=frozenset(map(_port, task.ports))) for task in there]
    now = {wish.name: (machines[task.node].name,) for wish, task in zip(known, there, strict=True)}
    done = placement.place([*known, *wanted.values()], machines.values(), now)
    return tuple(each for each in done.unplaced if each.name in wanted)


def has_ports(spec: Mapping[str, Any]) -> bool:
    """Does it publish ports of its nodes?"""
    return any(_ports(spec))


def _called(task: Task, names: Mapping[str, str]) -> str:
    return f"{names.get(task.service, 'a service')} (task {task.id[:12]})"


def _machines(nodes: Sequence[Entry]) -> Iterator[tuple[str, Machine]]:
    used: set[str] = set()
    for each in sorted(nodes, key=lambda each: each.state != "ready"):
        name = each.id if each.name in used else each.name
        used.add(name)
        ready = each.state == "ready"
        yield (
            each.id,
            Machine(
                name=name,
                id="",
                metadata=each.spec.labels,
                open=ready and each.spec.availability == "active",
                keeps=ready and each.spec.availability != "drain",
            ),
        )


def _wishes(units: Sequence[str], spec: Mapping[str, Any], nodes: Sequence[Entry]) -> Iterator[Wish]:
    place = spec["TaskTemplate"].get("Placement") or {}
    metadata: dict[str, frozenset[str]] = {}
    for text in place.get("Constraints") or ():
        key, equals, value = (word.strip() for word in str(text).partition("=="))
        label = key[len(_LABEL) :]
        if equals and label and key.casefold().startswith(_LABEL):
            # Swarm does not mind upper and lower case in values.
            there = {each.spec.labels.get(label, "") for each in nodes}
            alike = frozenset(each for each in there if each.casefold() == value.casefold()) | {value}
            metadata[label] = metadata.get(label, alike) & alike
    alone = tuple(each.replace("\\", "\\\\") for each in units) if place.get("MaxReplicas") == 1 else ()
    for unit in units:
        yield Wish(
            name=unit,
            metadata=metadata,
            conflicts=alone,
            takes=frozenset(_ports(spec)),
            everywhere="Global" in spec["Mode"],
        )


def _ports(spec: Mapping[str, Any]) -> Iterator[str]:
    for port in (spec.get("EndpointSpec") or {}).get("Ports") or ():
        if port.get("PublishMode") == "host" and port.get("PublishedPort"):
            yield _port(f"{port['PublishedPort']}/{port.get('Protocol', 'tcp')}")


def _port(text: str) -> str:
    return f"port {text}"
