"""``coreops units`` on fleet: units as they are, through fleet's own API. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from coreops.errors import InputError, did_you_mean
from coreops.schedulers.fleet import record, wire
from coreops.schedulers.fleet.adapter import Fleet as Adapter
from coreops.schedulers.fleet.view import STILL, View
from coreops.schedulers.protocol import Pause, Talk
from coreops.units import names
from coreops.units.backends import fleet_room
from coreops.units.loading import Loaded
from coreops.units.placement import refusal
from coreops.units.rows import Row, Status


class Fleet:
    """Units on a cluster whose nodes run fleetd."""

    def __init__(self, scheduler: Adapter) -> None:
        self._api = scheduler.api
        self._cluster = scheduler.cluster

    def submit(self, units: Sequence[Loaded]) -> Talk[None]:
        known = yield from self._check(units, (), start=False)
        for unit in units:
            desired = known[unit.name.full].desired if unit.name.full in known else "inactive"
            yield from self._api.put_unit(unit.name.full, _options(unit), desired)

    def start(self, units: Sequence[Loaded], names: Collection[str]) -> Talk[None]:
        yield from self._check(units, names, start=True)
        for unit in units:
            yield from self._api.put_unit(unit.name.full, _options(unit), "launched")
        for name in names:
            yield from self._api.set_desired(name, "launched")

    def stop(self, names: Collection[str]) -> Talk[None]:
        yield from self._need(names)
        for name in names:
            yield from self._api.set_desired(name, "loaded")

    def destroy(self, names: Collection[str]) -> Talk[None]:
        for name in names:
            yield from self._api.delete_unit(name)
        while True:
            states = yield from self._api.states()
            left = tuple(f"{s.unit} ({s.active}: {s.sub})" for s in states if s.unit in names and s.active in STILL)
            if not left:
                return
            yield Pause(left)

    def status(self) -> Talk[Status]:
        view = View((yield from self._api.everything()))
        rows: list[Row] = []
        unplaced: dict[str, str] = {}
        for name in sorted(view.units, key=names.natural):
            unit = view.units[name]
            if record.read(unit) is not None:  # coreops's own memory of a drain
                continue
            made = _rows(view, unit)
            rows += made
            if unit.desired != "inactive" and not any(row.host for row in made):
                unplaced[name] = f"{name}: fleet has put it nowhere"
        return Status(tuple(rows), unplaced)

    def _check(self, units: Sequence[Loaded], names: Collection[str], *, start: bool) -> Talk[Mapping[str, wire.Unit]]:
        """What fleet has. Raises RefusedError, nothing written, when one that changes could be placed nowhere."""
        view = View((yield from self._api.everything()))
        _known(names, view.units)

        running = {name: unit.options for name, unit in view.units.items() if unit.desired == "launched"}
        files = [unit.wish for unit in units if running.get(unit.name.full) != _options(unit)]
        named = [name for name in names if name not in running]
        if bad := fleet_room.unplaced(view, self._cluster, files, named, start=start):
            raise refusal(bad)
        return view.units

    def _need(self, wanted: Collection[str]) -> Talk[None]:
        if wanted:
            _known(wanted, [unit.name for unit in (yield from self._api.units())])


def _known(wanted: Collection[str], known: Collection[str]) -> None:
    for name in wanted:
        if name not in known:
            hint = did_you_mean(name, known) or "submit it first: coreops units submit FILE"
            raise InputError(f"no unit {name} was submitted", next=hint)


def _options(unit: Loaded) -> tuple[wire.Option, ...]:
    return tuple(wire.Option(each.section, each.name, each.value) for each in unit.file.options)


def _rows(view: View, unit: wire.Unit) -> list[Row]:
    service = names.read(unit.name).template or unit.name
    told = {state.machine: state for state in view.states if state.unit == unit.name}
    machines = list(dict.fromkeys(([unit.machine] if unit.machine else []) + list(told)))
    rows = []
    for machine in machines:
        state = told.get(machine)
        host = view.host(machine) or machine[:8]
        active = f"{state.active}/{state.sub}" if state else "given: not yet there"
        bad = state is not None and state.active == "failed"
        rows.append(Row(unit.name, service, unit.desired, host, active, _done(unit, state), bad))
    if not rows:
        state_ = "inactive" if unit.desired == "inactive" else "placed nowhere"
        rows.append(Row(unit.name, service, unit.desired, "", state_, unit.desired == "inactive"))
    return rows


def _done(unit: wire.Unit, state: wire.State | None) -> bool:
    if state is None or unit.desired == "inactive":
        return False
    if unit.desired == "launched":
        return state.active in ("active", "failed")
    return state.active in ("inactive", "failed")
