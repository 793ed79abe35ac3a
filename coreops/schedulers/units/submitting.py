"""What only the scheduler ``units`` has: units come, are started and stopped, and go. In talks, with the store."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from coreops.errors import InputError, did_you_mean
from coreops.schedulers.protocol import Cluster, Pause, Talk
from coreops.schedulers.units.gateway import Gateway, again
from coreops.schedulers.units.layout import Desired, State, Unit
from coreops.schedulers.units.planning import plan, wish
from coreops.units import names, placement
from coreops.units.placement import Placement
from coreops.units.rows import Row, Status


class Submitting:
    """The units of one cluster."""

    def __init__(self, cluster: Cluster, gateway: Gateway) -> None:
        self.cluster = cluster
        self.gateway = gateway

    def submit(self, files: Mapping[str, str], *, start: bool) -> Talk[Placement]:
        """Put units into the store. start: and run them; without it, a unit that is there stays as it is wanted.

        Raises RefusedError, nothing written, when one could be placed nowhere.
        """
        while True:
            state = yield from self.gateway.state()
            self._check(state, _with_peers(state, {name: Unit(name, file, "launched") for name, file in files.items()}))
            before = {name: state.units[name].desired for name in files if name in state.units}
            wanted = {
                name: Unit(name, file, "launched" if start else before.get(name, "inactive"))
                for name, file in files.items()
            }
            done = plan(state, self.cluster, wanted)
            if not done.groups or (yield from self.gateway.write(state, done.groups, "submit")):
                return done.placement
            yield again("submit")

    def desire(self, wanted: Collection[str], desired: Desired) -> Talk[Placement]:
        """Start units that were submitted, or stop them. Raises InputError for one that was not."""
        while True:
            state = yield from self.gateway.state()
            _need(wanted, state)
            changed = {name: Unit(name, state.units[name].file, desired) for name in wanted}
            if desired != "inactive":
                self._check(state, changed)
            done = plan(state, self.cluster, changed)
            if not done.groups or (yield from self.gateway.write(state, done.groups, desired)):
                return done.placement
            yield again(desired)

    def destroy(self, wanted: Collection[str]) -> Talk[None]:
        """Stop units and forget them; pauses until no node has them. What is not there is gone already."""
        while True:
            state = yield from self.gateway.state()
            done = plan(state, self.cluster, dict.fromkeys(wanted))
            if not done.groups or (yield from self.gateway.write(state, done.groups, "destroy")):
                break
            yield again("destroy")
        while left := (yield from self._left(wanted)):
            yield Pause(left)

    def status(self) -> Talk[Status]:
        """Every unit: where it is, and what its node says."""
        state = yield from self.gateway.state()
        unplaced = plan(state, self.cluster, {}).placement.unplaced
        return Status(self.rows(state), {each.name: str(each) for each in unplaced})

    @staticmethod
    def rows(state: State) -> tuple[Row, ...]:
        """A line for each unit and host."""
        found = []
        for name in sorted(state.units, key=names.natural):
            unit = state.units[name]
            service = names.read(name).template or name
            for host in sorted(state.on.get(name, ()), key=names.natural) or [""]:
                said, done = _said(state, unit, host)
                bad = said.startswith(("failed/", "refused:"))
                found.append(Row(name, service, unit.desired, host, said, done, bad))
        return tuple(found)

    def _check(self, state: State, wanted: Mapping[str, Unit]) -> None:
        """Could all of them run, and leave what runs now where it can?"""
        placed = {name for name, on in state.on.items() if on}
        bad = [
            each
            for each in plan(state, self.cluster, wanted).placement.unplaced
            if each.name in wanted or each.name in placed
        ]
        if bad:
            raise placement.refusal(bad)

    def _left(self, wanted: Collection[str]) -> Talk[tuple[str, ...]]:
        state = yield from self.gateway.state(("held", "said"))
        held = [f"{name} on {state.held[name]}" for name in wanted if name in state.held]
        said = [f"{name} on {host}" for host, each in state.said.items() for name in wanted if name in each.units]
        return tuple(dict.fromkeys((*held, *said)))


def _need(wanted: Collection[str], state: State) -> None:
    for name in wanted:
        if name not in state.units:
            hint = did_you_mean(name, state.units) or "submit it first: coreops units submit FILE"
            raise InputError(f"no unit {name} was submitted", next=hint)


def _with_peers(state: State, wanted: Mapping[str, Unit]) -> dict[str, Unit]:
    """And what they must be beside: that was submitted before, and is to be started with them."""
    submitted = {name: replace(unit, desired="launched") for name, unit in state.units.items()}
    known = {**submitted, **wanted}
    wishes = {name: wish(unit) for name, unit in known.items()}
    found = placement.beside([wishes[name] for name in wanted], wishes)
    return {name: known[name] for name in found}


def _said(state: State, unit: Unit, host: str) -> tuple[str, bool]:
    """What is known of a unit, and whether its node has done all there was to do."""
    if not host:
        return ("inactive" if unit.desired == "inactive" else "placed nowhere"), True
    if host not in state.said:
        return f"{host} is down", True
    active, sub, sum = state.said[host].units.get(unit.name, ("given", "not yet there", ""))
    if active == "refused":
        return f"refused: {sub.replace('-', ' ')}", True
    if active in ("waiting", "given"):
        return f"{active}: {sub.replace('-', ' ', 1)}", False
    moving = ("activating", "deactivating", "reloading") if unit.desired == "launched" else ("deactivating",)
    return f"{active}/{sub}", unit.is_done(sum) and active not in moving
