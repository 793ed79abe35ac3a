"""The simulated world: virtual time, power, boots and etcd's elections. Knows no coordinator and checks nothing: those
who want to know what happens are in ``listeners``.

Everything that happens is an event on one heap, everything random comes from one generator, so that one number, the
seed, is a whole history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random
from typing import Any

from coreops.upgrade.rehearse.machine import Machine
from coreops.upgrade.rehearse.store import Store

Call = Callable[..., object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """How long things take, in seconds; each time between half and twice of it."""

    command: float = 0.3
    refused: float = 1.0
    unanswered: float = 10.0
    ledger: float = 0.1
    stage: float = 40.0
    hook: float = 3.0
    drain: float = 8.0
    undrain: float = 4.0
    shutdown: float = 6.0
    boot: float = 35.0
    etcd: float = 4.0
    catch_up: float = 5.0
    election: float = 1.5


class World:
    """Time, machines, store and network. ``now`` is true monotonic time, ``wall`` the true time of day.

    cut: nodes that no controller reaches. isolated: nodes whose etcd no other member reaches. ill: node -> until when
    its services fail. vetoed: node -> until when a workload vetoes. gates_fail_until: Prometheus is silent until then.
    went_at, serves_since: when a member last stopped serving, and began; led_at: since when the leader leads.
    """

    def __init__(
        self, machines: Iterable[Machine], *, rng: Random, wall: float = 0.0, durations: Durations | None = None
    ) -> None:
        self.rng = rng
        self.random = rng.random
        self.now = 0.0
        self.epoch = wall
        self.durations = durations or Durations()
        self.machines: dict[str, Machine] = {machine.name: machine for machine in machines}
        self.store = Store((name for name, machine in self.machines.items() if machine.member), rng)
        self.cut: set[str] = set()
        self.isolated: set[str] = set()
        self.ill: dict[str, float] = {}
        self.vetoed: dict[str, float] = {}
        self.gates_fail_until = 0.0
        self.slow_boots: dict[str, float] = {}
        self.lags: dict[str, float] = {}
        self.went_at: dict[str, float] = {}
        self.serves_since: dict[str, float] = {}
        self.led_at = -1e9
        self.trace: list[str] | None = None
        self.on_reset: list[Callable[[Machine], object]] = []
        self.on_boot: list[Callable[[Machine, bool], object]] = []
        self._queue: list[tuple[float, int, Call, tuple[Any, ...]]] = []
        self._count = 0
        self._electing = False

    @property
    def wall(self) -> float:
        return self.epoch + self.now

    def at(self, delay: float, call: Call, *args: Any) -> None:
        """Have ``call`` happen in ``delay`` seconds."""
        self._count += 1
        heappush(self._queue, (self.now + delay, self._count, call, args))

    def around(self, seconds: float) -> float:
        """A duration near ``seconds``."""
        return seconds * (0.5 + 1.5 * self.random())

    def step(self) -> bool:
        """Let the next event happen. False: there is none."""
        if not self._queue:
            return False
        self.now, _, call, args = heappop(self._queue)
        call(*args)
        return True

    def say(self, text: str) -> None:
        if self.trace is not None:
            self.trace.append(f"{self.now:10.1f}  {text}")

    # Power and boots

    def reachable(self, machine: Machine) -> bool:
        """Does its sshd answer a controller?"""
        return machine.sshd and machine.name not in self.cut

    def reset(self, machine: Machine, why: str, *, commanded: bool = False, off: float = 0.0) -> None:
        """The machine goes down now and boots again after ``off`` seconds more than usual."""
        if machine.dead:
            return
        self.say(f"{machine.name}: goes down, {why}")
        for listener in self.on_reset:
            listener(machine)
        machine.up = machine.sshd = machine.staging = False
        machine.coming += 1
        self.member_went(machine)
        self.at(off + self.around(self.durations.shutdown), self._boot, machine, machine.coming, commanded)

    def kill(self, machine: Machine, why: str) -> None:
        """The machine is off and stays off."""
        self.reset(machine, why)
        machine.dead = True

    def revive(self, machine: Machine) -> None:
        if machine.dead:
            machine.dead = False
            machine.coming += 1
            self.at(1.0, self._boot, machine, machine.coming, False)

    def _boot(self, machine: Machine, coming: int, commanded: bool) -> None:
        if machine.dead or coming != machine.coming:
            return
        image = machine.start()
        if image is None:
            self.say(f"{machine.name}: no slot boots")
            machine.dead = True
            return
        for listener in self.on_boot:
            listener(machine, commanded)
        delay = self.around(self.durations.boot) + image.behaviour.slow + self.slow_boots.get(machine.name, 0.0)
        a, b = machine.slots
        self.say(f"{machine.name}: boots {'AB'[machine.booted]} ({image.version}), A {a}, B {b}")
        self.at(delay, self._came_up if image.behaviour.boots else self._panicked, machine, coming)

    def _panicked(self, machine: Machine, coming: int) -> None:
        if coming == machine.coming:
            self.reset(machine, "the kernel panicked")

    def _came_up(self, machine: Machine, coming: int) -> None:
        if machine.dead or coming != machine.coming or machine.here.image is None:
            return
        behaviour = machine.here.image.behaviour
        machine.up, machine.since = True, self.now
        machine.sshd = behaviour.sshd
        self.say(f"{machine.name}: is up")
        if machine.member and behaviour.etcd:
            self.at(self.around(self.durations.etcd), self.member_came, machine, coming)
        if behaviour.resets < 1e9:
            self.at(behaviour.resets, self._resets, machine, coming)

    def _resets(self, machine: Machine, coming: int) -> None:
        if coming == machine.coming and not machine.here.successful:
            self.reset(machine, "by itself")

    # etcd

    def member_went(self, machine: Machine) -> None:
        if machine.member:
            self.store.went(machine.name)
            self.went_at[machine.name] = self.now
            self._elect_soon()

    def member_came(self, machine: Machine, coming: int) -> None:
        if coming == machine.coming and machine.up and machine.name not in self.isolated:
            self.store.came(machine.name)
            self._elect_soon()
            lag = self.around(self.durations.catch_up) + self.lags.get(machine.name, 0.0)
            self.at(lag, self._caught_up, machine, coming)

    def _caught_up(self, machine: Machine, coming: int) -> None:
        if coming == machine.coming and machine.up:
            self.store.caught_up(machine.name)
            self.serves_since[machine.name] = self.now

    def isolate(self, machine: Machine) -> None:
        """Neither a controller nor another member reaches it."""
        self.cut.add(machine.name)
        self.isolated.add(machine.name)
        self.member_went(machine)

    def stop_etcd(self, machine: Machine) -> None:
        """etcd is down on this node until it is healed."""
        self.isolated.add(machine.name)
        self.member_went(machine)

    def heal(self, machine: Machine) -> None:
        """The network is whole again, as far as this machine goes."""
        self.cut.discard(machine.name)
        if machine.name in self.isolated:
            self.isolated.discard(machine.name)
            image = machine.here.image
            if machine.up and machine.member and image and image.behaviour.etcd:
                self.member_came(machine, machine.coming)

    def _elect_soon(self) -> None:
        if self.store.wants_election and not self._electing:
            self._electing = True
            self.at(self.around(self.durations.election), self._elect)

    def _elect(self) -> None:
        self._electing = False
        self.store.elect(self.rng)
        if self.store.leader:
            self.led_at = self.now
            self.say(f"etcd: {self.store.leader} leads")

    def move_leader(self, member: str) -> bool:
        moved = self.store.move(member)
        if moved:
            self.led_at = self.now
            self.say(f"etcd: {member} leads, as asked")
        return moved

    # What a look at the services shows

    def well(self, machine: Machine) -> bool:
        """Do its services truly work?"""
        image = machine.here.image
        return (
            machine.up
            and image is not None
            and image.behaviour.well(self.now - machine.since)
            and self.ill.get(machine.name, 0.0) <= self.now
            and (not machine.member or machine.name in self.store.serving)
        )


Machines = Mapping[str, Machine]
