"""Is there a machine for each of these units? What fleet has and what it is to get, in the words of
``coreops.units.placement``. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from coreops.schedulers.fleet.rules import Asks
from coreops.schedulers.fleet.view import View, record_of
from coreops.schedulers.protocol import Cluster
from coreops.units import glob, placement
from coreops.units.placement import Machine, Unplaced, Wish


def unplaced(
    view: View, cluster: Cluster, files: Iterable[Wish], names: Collection[str], *, start: bool
) -> tuple[Unplaced, ...]:
    """Which of these could be placed nowhere if they were started now. names: of units that fleet has already.

    start: they are; else what they must be beside may be started together with them.
    """
    known = {name: _wish(name, asked) for name, asked in view.asked.items() if record_of(name) is None}
    wanted = {**{name: known[name] for name in names}, **{wish.name: wish for wish in files}}
    if not start:
        wanted = placement.beside(wanted.values(), {**known, **wanted})
    active = {name: wish for name, wish in known.items() if view.units[name].desired != "inactive"}
    machines = dict(_machines(view))
    there = {machine.name for machine in machines.values()}
    away = [
        Machine(name=host.name, id=host.name, metadata=host.labels, open=False, keeps=False, by_name=False)
        for host in cluster.hosts
        if host.name not in there
    ]
    now = {name: (machines[unit.machine].name,) for name, unit in view.units.items() if unit.machine in machines}
    done = placement.place({**active, **wanted}.values(), [*machines.values(), *away], now)
    return tuple(each for each in done.unplaced if each.name in wanted)


def _machines(view: View) -> Iterator[tuple[str, Machine]]:
    used: set[str] = set()
    for id, machine in view.machines.items():
        host = view.host(id)
        note = view.note(host) if host else None
        name = host if host and host not in used else id
        used.add(name)
        yield (
            id,
            Machine(
                name=name,
                id=id,
                metadata=machine.metadata,
                open=not (note and note.by),
                keeps=not (note and note.stage),
                by_name=False,
            ),
        )


def _wish(name: str, asked: Asks) -> Wish:
    """Of a unit that fleet has. A pattern that is none names nobody, as in fleet."""
    return Wish(
        name=name,
        machine_id=asked.id,
        machine_of=asked.peers,
        metadata=asked.metadata,
        conflicts=tuple(filter(_good, asked.conflicts)),
        replaces=tuple(filter(_good, asked.replaces)),
        everywhere=asked.everywhere,
    )


def _good(pattern: str) -> bool:
    try:
        glob.compiled(pattern)
    except ValueError:
        return False
    return True
