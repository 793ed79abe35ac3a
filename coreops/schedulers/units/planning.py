"""From what stands in the store and what the inventory wants to what has to be written. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from coreops.schedulers.protocol import Cluster
from coreops.schedulers.units.layout import ROOT, Closed, State, Unit
from coreops.units import fleet, names, unit_file
from coreops.units.placement import Machine, Placement, Wish, place


@dataclass(frozen=True, slots=True)
class Write:
    """One key to put, or (value None) to delete."""

    key: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """groups: what belongs together, each to be written at once. placement: where every unit then is."""

    groups: tuple[tuple[Write, ...], ...]
    placement: Placement


def wish(unit: Unit) -> Wish:
    """What a submitted unit asks for. It was checked when it was submitted."""
    return fleet.wish(unit_file.parse(unit.file, unit.name), names.read(unit.name), new=False)


def machines(state: State, cluster: Cluster) -> tuple[Machine, ...]:
    """The hosts of the inventory. One that does not answer keeps what it has, and gets nothing."""
    found = []
    for host in cluster.hosts:
        closed = state.closed.get(host.name, Closed())
        found.append(
            Machine(
                name=host.name,
                id=state.machines.get(host.name, host.name),
                metadata={"host": host.name, **host.labels},
                open=host.name in state.said and not closed.cordon and not closed.drain,
                keeps=not closed.drain,
            )
        )
    return tuple(found)


def plan(state: State, cluster: Cluster, wanted: Mapping[str, Unit | None], gone: Iterable[str] = ()) -> Plan:
    """Place all units anew. wanted: those that change; None: destroyed. gone: hosts that lose what they have."""
    lost = frozenset(gone)
    units = {name: unit for name, unit in {**state.units, **wanted}.items() if unit is not None}
    active = {name: unit for name, unit in units.items() if unit.desired != "inactive"}
    wishes = {name: wish(unit) for name, unit in active.items()}
    now = {name: tuple(host for host in on if host not in lost) for name, on in state.on.items() if name in active}
    hosts = [machine for machine in machines(state, cluster) if machine.name not in lost]
    placement = place(wishes.values(), hosts, now)
    groups: list[tuple[Write, ...]] = []
    for name in sorted({*units, *state.units, *state.on}, key=names.natural):
        unit = units.get(name)
        writes = []
        if name in wanted and unit != state.units.get(name):
            writes.append(Write(f"{ROOT}unit/{name}", unit.value() if unit else None))
        before, after = set(state.on.get(name, ())), set(placement.on.get(name, ()))
        writes += [Write(f"{ROOT}on/{host}/{name}") for host in sorted(before - after)]
        if unit is not None and after:
            fresh = after if writes and name in wanted else after - before
            given = unit.given(everywhere=wishes[name].everywhere)
            writes += [Write(f"{ROOT}on/{host}/{name}", given) for host in sorted(fresh)]
        everywhere = len(before | after) > 1  # a global unit: its hosts have nothing to do with each other
        groups += [(write,) for write in writes] if everywhere else [tuple(writes)] if writes else []
    return Plan(tuple(groups), placement)


def closing(state: State, host: str, closed: Closed) -> tuple[State, Write]:
    """The state with a host closed (or opened), and the write that makes it so."""
    return replace(state, closed={**state.closed, host: closed}), Write(f"{ROOT}closed/{host}", closed.value())
