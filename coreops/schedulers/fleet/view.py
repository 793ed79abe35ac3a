"""The whole cluster at one moment, and what can be read out of it: who is where, what could go where. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

from coreops.schedulers.fleet import glob, names, record, rules
from coreops.schedulers.fleet.api import Everything
from coreops.schedulers.fleet.record import Note
from coreops.schedulers.fleet.rules import Asks
from coreops.schedulers.fleet.wire import Machine, Unit

ANY = "any-other-unit.service"
STILL = ("active", "activating", "reloading", "refreshing", "deactivating")
"""What systemd calls a unit whose processes may be there."""


class View:
    """Built anew from each answer; nothing in it changes."""

    def __init__(self, everything: Everything) -> None:
        self.machines: Mapping[str, Machine] = {each.id: each for each in everything.machines}
        self.units: Mapping[str, Unit] = {each.name: each for each in everything.units}
        self.states = everything.states

    @cached_property
    def asked(self) -> Mapping[str, Asks]:
        return {name: rules.asks(unit) for name, unit in self.units.items()}

    @cached_property
    def everywhere(self) -> frozenset[str]:
        """The global units."""
        return frozenset(name for name, asked in self.asked.items() if asked.everywhere)

    def machine(self, host: str) -> Machine | None:
        """The host's machine, while its fleetd is alive; also by the machine's id."""
        spelled = names.spelled(host)
        found = (each for each in self.machines.values() if each.metadata.get(names.KEY) == spelled)
        return next(found, self.machines.get(host))

    def host(self, machine: str) -> str:
        """Which host a machine says it is, "" for none and for a machine that is gone."""
        known = self.machines.get(machine)
        return names.read(known.metadata.get(names.KEY, "")) if known else ""

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """All nodes that fleet knows, and those that coreops remembers: by host, or else by machine id."""
        found = [self.host(id) or id for id in self.machines]
        noted = [host for host in record.hosts(self.units.values()) if self.note(host).stage != "removed"]
        return tuple(dict.fromkeys((*found, *noted)))

    def notes(self, host: str) -> tuple[Note, ...]:
        """What coreops remembers of a host, the newest last."""
        return record.of(host, self.units.values())

    def note(self, host: str) -> Note:
        """The newest of them; an empty one when there is none."""
        return (self.notes(host) or (Note(host=host),))[-1]

    def placed(self, machine: str) -> tuple[str, ...]:
        """The units that the engine has put on a machine, notes left out."""
        return tuple(
            name
            for name, unit in self.units.items()
            if unit.machine == machine and unit.desired != "inactive" and self._movable(name)
        )

    def running(self, machine: str) -> tuple[str, ...]:
        """The units that have not stopped on a machine, as it has told, and those that it is about to start."""
        found = {
            state.unit: f"{state.unit} ({state.active}: {state.sub})"
            for state in self.states
            if state.machine == machine and self._movable(state.unit)
        }
        told = {state.unit for state in self.states if state.machine == machine and state.active in STILL}
        coming = {name for name in self.placed(machine) if self.units[name].desired == "launched"} - set(found)
        return tuple(text for unit, text in found.items() if unit in told) + tuple(f"{u} (coming)" for u in coming)

    def untold(self, machine: str) -> tuple[str, ...]:
        """Units that the engine has put on a machine, and that it says nothing of.

        A machine that had a unit before may wipe out, up to 0.8 agent_ttl later, what its next one has told; that one
        tells it again within the same time, and at once when the unit's state changes.
        """
        told = {state.unit for state in self.states if state.machine == machine}
        return tuple(name for name in self.placed(machine) if name not in told)

    def failed(self, unit: str, machine: str) -> bool:
        """It was started there and did not live: that is a matter of the unit's owner."""
        return any(
            state.unit == unit and state.machine == machine and state.active == "failed" for state in self.states
        )

    def known(self, unit: str, machine: str) -> bool:
        """Has the engine put it there, or does the machine still tell of it?"""
        placed = unit in self.units and self.units[unit].machine == machine
        return placed or any(state.unit == unit and state.machine == machine for state in self.states)

    def foreign(self, machine: str) -> tuple[str, ...]:
        """Barriers on a machine that are not ours: units that are loaded only, and suffer nobody beside them."""
        return tuple(
            name
            for name in self.placed(machine)
            if self.units[name].desired == "loaded"
            and any(glob.match(pattern, ANY) for pattern in self.asked[name].conflicts)
        )

    def there(self, machine: str) -> dict[str, Asks]:
        """What the engine counts as being on a machine: what it has put there, and the globals that fit."""
        found = {
            name: self.asked[name]
            for name, unit in self.units.items()
            if unit.machine == machine and unit.desired != "inactive" and name not in self.everywhere
        }
        for name in sorted(self.everywhere):
            if self.units[name].desired != "inactive" and rules.fits(self.asked[name].metadata, self.machines[machine]):
                found[name] = self.asked[name]
        return found

    def obstacles(self, unit: str, without: Collection[str] = ()) -> dict[str, str]:
        """Machine -> why it cannot take the unit now ("" when it can), for all machines but ``without``."""
        return {
            id: rules.obstacle(unit, self.asked[unit], machine, self.there(id))
            for id, machine in self.machines.items()
            if id not in without
        }

    def stuck(self, units: Sequence[str], leaving: str) -> dict[str, str]:
        """Which of these units no other machine could take if they left this one, and why, by machine.

        Places them as the engine would: each on the machine with the fewest units that can take it.
        """
        others = {id: self.there(id) for id in sorted(self.machines) if id != leaving}
        found: dict[str, str] = {}
        for group in rules.together(units, self.asked):
            for name in group:
                asked = self.asked[name]
                why: dict[str, str] = {}
                for id in sorted(others, key=lambda id: (len(others[id]), id)):
                    why[id] = rules.obstacle(name, asked, self.machines[id], others[id])
                    if not why[id]:
                        others[id][name] = asked
                        break
                else:
                    found[name] = self.told(why)
        return found

    def told(self, why: Mapping[str, str]) -> str:
        """Obstacles in words."""
        said = [f"{self.host(id) or id[:8]}: {self._plain(text)}" for id, text in why.items() if text]
        if said:
            return ", ".join(said)
        return "fleet is about to choose one" if why else "there is no other machine"

    def _plain(self, text: str) -> str:
        """A host's note in the way is a cordon, for whoever reads it."""
        return "it is cordoned" if text.startswith(f"conflict with {names.PREFIX}") else text

    def _movable(self, name: str) -> bool:
        return name not in self.everywhere and record_of(name) is None


def record_of(unit: str) -> str | None:
    """Whose note a unit's name says it is."""
    found = names.of_unit(unit)
    return found[0] if found else None
