"""Cordon, drain and uncordon of one host, as talks with any node's fleetd. What is remembered, and how it keeps units
away: see ``record``.

A drain moves units a few at a time. Their wanted state is kept in the note. They are only *loaded* from then on, so
that their machine stops them and goes on telling how far that is. Then they are inactive, which takes them off the
machine; the note shuts them out; and they get their wanted state back, so that fleet's own engine places them again.

Units that no other machine can take are refused or, where that is allowed, stay there stopped until ``uncordon``.
Global units are a part of every machine: they are left to the machine's own shutdown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from coreops.errors import HostFailed, RefusedError
from coreops.schedulers.fleet import names, rules
from coreops.schedulers.fleet.api import Api
from coreops.schedulers.fleet.record import Note
from coreops.schedulers.fleet.view import View
from coreops.schedulers.fleet.wire import Desired, Machine
from coreops.schedulers.protocol import Fenced, Mark, Pause, Talk

Stuck = Literal["refuse", "stop"]
Pairs = tuple[tuple[str, Desired], ...]


@dataclass(frozen=True, slots=True)
class Talks:
    """For any host of one cluster. stuck: what to do with units that no other machine can take. batch: how many groups
    of units a drain moves at the same time.
    """

    api: Api
    stuck: Stuck = "refuse"
    batch: int = 1

    def view(self) -> Talk[View]:
        return View((yield from self.api.everything()))

    def cordon(self, host: str, mark: Mark) -> Talk[None]:
        """Put the barrier up; pauses until the engine has placed it."""
        view = yield from self.view()
        note, machine = view.note(host), view.machine(host)
        _fence(note, mark)
        if machine is not None and names.KEY not in machine.metadata:
            # a stray that coreops has not installed: fleet 1.0 lets us name it
            yield from self.api.patch_metadata(machine.id, {names.KEY: names.spelled(host)})
            view = yield from self.view()
        takes_over = note.by == "upgrade" and mark.by == "operator"
        by = mark.by if takes_over or not note.by else note.by
        stage = "" if note.stage == "removed" else note.stage
        over = tuple(dict.fromkeys((*note.over, *(view.foreign(machine.id) if machine else ()))))
        yield from self._remember(view, replace(note, by=by, stage=stage, over=over, token=max(note.token, mark.token)))

    def drain(self, host: str, mark: Mark) -> Talk[None]:
        """Batch after batch, until nothing that could move or must stop runs on the machine."""
        while True:
            view = yield from self.view()
            machine, note = view.machine(host), view.note(host)
            _fence(note, mark)
            if not note.by:
                raise HostFailed("it is not cordoned", where=host, next="cordon it first")
            note = replace(note, token=max(note.token, mark.token))
            if note.stage == "stopping":
                yield from self._stop(note)
            elif note.stage == "starting":
                yield from self._start(note)
            elif machine is None:
                return  # fleet moves the units of a machine that is gone by itself
            else:
                going, staying = self._choose(view, machine, dict(note.held))
                if going:
                    yield from self._remember(view, replace(note, stage="stopping", moving=_wanted(view, going)))
                elif staying:
                    held = (*note.held, *_wanted(view, staying))
                    view = yield from self._remember(view, replace(note, held=held))
                    yield from self._quiet(host, dict(held))
                else:
                    yield from self._quiet(host, dict(note.held))
                    yield from self._remember((yield from self.view()), replace(note, stage="drained"))
                    return

    def left(self, host: str) -> Talk[tuple[str, ...]]:
        """What has not stopped."""
        view = yield from self.view()
        machine = view.machine(host)
        return view.running(machine.id) if machine else ()

    def uncordon(self, host: str, mark: Mark) -> Talk[None]:
        """Finish what a drain had begun to move, start what it held, take the barrier away; pauses until the machine is
        in the cluster.
        """
        view = yield from self.view()
        note = view.note(host)
        _fence(note, mark)
        while view.machine(host) is None:
            yield Pause((f"{host} to be in the cluster (is its fleet.service running?)",), 1.0)
            view = yield from self.view()
        yield from self._restore(view, (*note.moving, *note.held))
        undone = mark.by == "operator" or note.by == "upgrade"
        wanted = replace(note, by="" if undone else note.by, stage="", moving=(), held=())
        if undone:
            wanted = replace(wanted, over=())
        if mark.by == "operator":
            machine = view.machine(host)
            for barrier in view.foreign(machine.id) if machine else ():
                yield from self.api.set_desired(barrier, "inactive")
        elif undone:
            yield from self._restore(view, tuple((barrier, "loaded") for barrier in note.over))
        yield from self._remember(view, replace(wanted, token=max(note.token, mark.token)))
        while mark.by == "upgrade" and undone and (left := _pending((yield from self.view()), host, note.over)):
            yield Pause(left)

    def remove(self, host: str, known: bool) -> Talk[None]:
        """Forget a host whose fleetd is gone. known: the inventory has it. Also by a machine's id."""
        view = yield from self.view()
        machine = view.machine(host)
        if machine is not None:
            raise RefusedError(
                f"{host} still runs fleetd",
                where=host,
                why=f"machine {machine.id} is in the cluster",
                next=f"coreops drain {host}, and turn it off; fleet forgets a machine within its agent_ttl",
            )
        note = view.note(host)
        yield from self._restore(view, (*note.moving, *note.held))
        if known:
            yield from self._remember(view, replace(note, by="", stage="removed", moving=(), held=()))
            return
        for each in view.notes(host):
            yield from self.api.delete_unit(each.unit)

    def _choose(
        self, view: View, machine: Machine, held: Mapping[str, Desired]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Which units to move next, and which have to stay. Raises RefusedError for those unless that is allowed."""
        stays = {*held, *view.foreign(machine.id)}
        here = tuple(name for name in view.placed(machine.id) if name not in stays)
        stuck = view.stuck(here, machine.id)
        if stuck and self.stuck == "refuse":
            raise RefusedError(
                f"{'a unit has' if len(stuck) == 1 else f'{len(stuck)} units have'} no other machine to go to",
                where=view.host(machine.id),
                why="; ".join(f"{unit} ({why})" for unit, why in stuck.items()),
                next="make room for them, stop them, or allow it with fleet_stuck: stop (they stay there, stopped, and "
                "start again when the node takes work again)",
            )
        groups = [group for group in rules.together(here, view.asked) if not any(name in stuck for name in group)]
        going = tuple(name for group in groups[: self.batch] for name in group)
        return going, () if going else tuple(name for name in here if name not in going)

    def _stop(self, note: Note) -> Talk[None]:
        """Take the batch off the machine, once it has stopped there."""
        yield from self._quiet(note.host, dict(note.moving))
        for name in dict(note.moving):
            yield from self._desire(name, "inactive")
        while True:
            view = yield from self.view()
            machine = view.machine(note.host)
            # Who unloads a unit late wipes out what its next machine has told of it (fleet's RemoveUnitState).
            left = [name for name, _ in note.moving if machine and view.known(name, machine.id)]
            if not left:
                break
            yield Pause(tuple(f"fleet to take {name} off {note.host}" for name in left))
        yield from self._remember(view, replace(note, stage="starting"))

    def _quiet(self, host: str, units: Mapping[str, Desired]) -> Talk[None]:
        """Have these units stopped on the machine they are on; wait until it says so."""
        for name, desired in units.items():
            if desired == "launched":
                yield from self._desire(name, "loaded", only_from="launched")
        while True:
            view = yield from self.view()
            machine = view.machine(host)
            if machine is None:
                return
            left = [f"{text} has not stopped" for text in view.running(machine.id) if text.partition(" ")[0] in units]
            left += [f"{host} has not told how {name} is" for name in view.untold(machine.id) if name in units]
            if not left:
                return
            yield Pause(tuple(left))

    def _start(self, note: Note) -> Talk[None]:
        """Give the batch its wanted state back, behind the barrier; wait until it has a place elsewhere."""
        view = yield from self._remember((yield from self.view()), note)
        yield from self._restore(view, note.moving)
        arrived: set[str] = set()  # seen once is enough: the old machine may yet wipe out what the new one has told
        while left := self._unplaced(view := (yield from self.view()), note, arrived):
            yield Pause(left)
        yield from self._remember(view, replace(note, stage="", moving=()))

    def _restore(self, view: View, units: Pairs) -> Talk[None]:
        """Give units the state back that they had. One that somebody has destroyed meanwhile stays so."""
        for name, desired in units:
            if name in view.units and view.units[name].desired != desired:
                yield from self._desire(name, desired)

    def _desire(self, name: str, desired: Desired, only_from: Desired | None = None) -> Talk[None]:
        unit = yield from self.api.unit(name)
        if unit is not None and only_from in (None, unit.desired):
            yield from self.api.set_desired(name, desired)

    def _unplaced(self, view: View, note: Note, arrived: set[str]) -> tuple[str, ...]:
        machine = view.machine(note.host)
        here = machine.id if machine else ""
        left = []
        for name, desired in note.moving:
            unit = view.units.get(name)
            if unit is None or unit.desired == "inactive":
                continue  # somebody has stopped it meanwhile
            if unit.machine in ("", here):
                left.append(f"{name} has no machine ({view.told(view.obstacles(name, (here,)))})")
            elif unit.current == desired or view.failed(name, unit.machine):
                arrived.add(name)
            elif name not in arrived:
                left.append(f"{name} is not yet {desired} on {view.host(unit.machine) or unit.machine}")
        return tuple(left)

    def _remember(self, view: View, wanted: Note) -> Talk[View]:
        """Have the host's newest note say this and, when it is a barrier, stand; then take older ones away."""
        host = wanted.host
        while True:
            note, machine = view.note(host), view.machine(host)
            unit = view.units.get(note.unit)
            same = replace(wanted, number=note.number, keep=note.keep) == note
            right = unit is None or unit.desired == note.desired
            stands = machine is None or (unit is not None and unit.machine == machine.id)
            if same and right and (stands or not note.by):
                break
            keep = _kept(view, wanted)
            over = [name for name in wanted.over if name in view.units and view.units[name].desired != "inactive"]
            if same and right and over:
                for barrier in over:
                    yield from self.api.set_desired(barrier, "inactive")
            elif same and right and keep == note.keep:
                yield Pause((f"fleet to put up the barrier of {host}{_reason(view, note, machine)}",))
            else:
                fresh = replace(wanted, number=note.number + 1, keep=keep)
                yield from self.api.put_unit(fresh.unit, fresh.options(), fresh.desired)
            view = yield from self.view()
        for old in view.notes(host)[:-1]:
            yield from self.api.delete_unit(old.unit)
        return view


def _wanted(view: View, units: Iterable[str]) -> Pairs:
    return tuple((name, view.units[name].desired) for name in units)


def _kept(view: View, note: Note) -> frozenset[str]:
    """All that may stay on the machine now: what is there, less what is to start elsewhere, and global units."""
    if not note.by:
        return frozenset()
    machine = view.machine(note.host)
    here = set(view.placed(machine.id)) if machine else set[str]()
    gone = {name for name, _ in note.moving} if note.stage == "starting" else set[str]()
    return frozenset(here - gone - set(note.over) | view.everywhere)


def _pending(view: View, host: str, barriers: Iterable[str]) -> tuple[str, ...]:
    """Somebody else's barriers that do not stand yet."""
    machine = view.machine(host)
    away = [each for each in barriers if machine and each in view.units and view.units[each].machine != machine.id]
    return tuple(f"fleet to put {name} on {host} again" for name in away)


def _reason(view: View, note: Note, machine: Machine | None) -> str:
    """What keeps the note from its machine."""
    if machine is None or note.unit not in view.units:
        return ""
    why = rules.obstacle(note.unit, view.asked[note.unit], machine, view.there(machine.id))
    return f" ({why})" if why else ""


def _fence(note: Note, mark: Mark) -> None:
    if mark.by == "upgrade" and mark.token < note.token:
        raise Fenced(
            f"a newer controller has been at {note.host}",
            why=f"fleet has seen the token {note.token}, this one is {mark.token}",
            next="let the newer run finish",
        )
