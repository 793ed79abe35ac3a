"""One simulated history: a scenario, its faults, its controllers, from the first run to the last ``resume``.

After the runs are over faults stop, an operator mends what is broken and, unless all is well, types ``resume`` until
nothing is left to do. Raises Broken when an invariant does not hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from coreops.upgrade.coordinator import Coordinator
from coreops.upgrade.coordinator.outcome import WELL, Outcome
from coreops.upgrade.plan import Plan
from coreops.upgrade.protocol import Action, Do
from coreops.upgrade.rehearse.controller import Controller, Make
from coreops.upgrade.rehearse.hands import Asker, Hands
from coreops.upgrade.rehearse.invariants import Invariants
from coreops.upgrade.rehearse.machine import STRANGER, Machine
from coreops.upgrade.rehearse.scenario import Scenario
from coreops.upgrade.rehearse.world import World

LONGEST = 40 * 86400.0
"""No rollout of the simulator takes longer than this, in simulated seconds."""
RESUMES = 6
"""And one more for every node: each may fail in a run of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a simulation went. seconds: of the operator's first run and those that took it over, while faults went on.
    outcomes: the last word on every node before anybody mended anything; settled: after that. events: how many.
    """

    seconds: float
    worst_unavailable: int
    outcomes: dict[str, Outcome]
    settled: dict[str, Outcome]
    stopped: str
    events: int
    runs: int
    faults: tuple[str, ...]
    done_at: dict[str, float]


class Simulation:
    """Holds the pieces together; faults find everything they may touch here. Their ``rng`` is not the world's, so that
    a fault that does nothing changes nothing.
    """

    def __init__(
        self, scenario: Scenario, rng: Random, make: Make = Coordinator, trace: list[str] | None = None
    ) -> None:
        self.scenario, self.make = scenario, make
        self.rng = Random(rng.getrandbits(64))
        self.plan = scenario.plan
        self.world = World(scenario.machines, rng=rng, wall=scenario.wall, durations=scenario.durations)
        self.world.trace = trace
        self.invariants = Invariants(self.world, self.plan)
        self.hands = Hands(self.world, scenario.image, self.invariants)
        self.hands.alive = lambda run: any(one.run == run and one.shows_life for one in self.controllers)
        self.hands.on_lost = self._tell_of_loss
        self.controllers: list[Controller] = []
        self.steps = 0
        self.coming = 0
        self.events = 0
        self.calm = False
        self.done_at: dict[str, float] = {}
        self._moments: dict[int, list[Callable[[Controller], object]]] = {}

    # For faults

    @property
    def expected_steps(self) -> int:
        """About as many happenings as an undisturbed rollout hears."""
        return 28 * len(self.plan.nodes)

    def node(self) -> Machine:
        """Any node."""
        return self.world.machines[self.rng.choice(self.plan.nodes).name]

    def moment(self, call: Callable[[Controller], object], first: int = 1) -> None:
        """Have ``call`` happen just before some step of some controller decides."""
        step = self.rng.randint(first, max(first, self.expected_steps))
        self._moments.setdefault(step, []).append(call)

    def trap(
        self,
        action: Action,
        call: Callable[[Asker, Do, Machine | None], bool],
        *,
        node: str | None = None,
        times: int = 1,
        skip: int = 0,
    ) -> None:
        """The next commands of this kind (for this node) come to ``call``, which says whether they are dealt with."""
        traps = self.hands.traps.setdefault(action, [])
        left, before = times, skip

        def trap(asker: Asker, do: Do, machine: Machine | None) -> bool:
            nonlocal left, before
            if node is not None and do.node != node:
                return False
            if before:
                before -= 1
                return False
            left -= 1
            if not left:
                traps.remove(trap)
            return call(asker, do, machine)

        traps.append(trap)

    def start(self, *, takes_over: bool = False, start_none: bool = False) -> Controller:
        """Another run of the same plan begins now."""
        plan = self._plan(takes_over, start_none)
        controller = Controller(self.world, self.hands, plan, self.make, self.invariants)
        controller.on_step.append(self._step)
        self.controllers.append(controller)
        self.invariants.began(controller)
        controller.start()
        return controller

    def start_later(self, delay: float, *, takes_over: bool = False, start_none: bool = False) -> None:
        """The operator types a command in a while."""
        self.coming += 1
        self.world.at(delay, self._start_late, takes_over, start_none)

    def _start_late(self, takes_over: bool, start_none: bool) -> None:
        self.coming -= 1
        self.start(takes_over=takes_over, start_none=start_none)

    def lose_lease(self, name: str, why: str) -> None:
        """Somebody takes a lease away from its holder, who will hear of it."""
        held = self.world.store.force_release(name)
        if held is not None:
            self.invariants.lease_moved(name, held)
            self._tell_of_loss(held.run, name, why)

    def _tell_of_loss(self, run: str, name: str, why: str) -> None:
        for controller in self.controllers:
            if controller.run == run:
                self.world.at(10.0 * self.world.random(), controller.lost, name, why)

    def _plan(self, takes_over: bool, start_none: bool) -> Plan:
        number = len(self.controllers) + 1
        before = frozenset(one.run for one in self.controllers) if takes_over else frozenset[str]()
        return replace(self.plan, run=f"run-{number}", takes_over=before, start_none=start_none)

    def _step(self, controller: Controller) -> None:
        self.steps += 1
        calls = self._moments.pop(self.steps, None)
        if calls:
            for call in calls:
                call(controller)

    # The history

    def run(self, *, settle: bool = True) -> Ending:
        """From the beginning to the end; without ``settle`` only until the runs are over."""
        self.start()
        self._play()
        told = self._last_words()
        seconds = self.world.now
        stopped = next((c.coordinator.situation.stopped for c in self.controllers if c.over), "")
        first = dict(told)
        if settle and (
            any(outcome not in WELL for outcome in told.values()) or any(not c.over for c in self.controllers)
        ):
            told = self._settle()
        return Ending(
            seconds=seconds,
            worst_unavailable=self.invariants.worst,
            outcomes=first,
            settled=told,
            stopped=stopped,
            events=self.events,
            runs=len(self.controllers),
            faults=self.scenario.faults,
            done_at=self.invariants.done_at,
        )

    def _play(self) -> None:
        """Until no run is at work and none is to come."""
        world = self.world
        end, most = world.now + LONGEST, 3000 * (len(self.plan.nodes) + 20)
        at_work: Controller | None = None
        while True:
            if at_work is None or not at_work.working:
                at_work = next((controller for controller in self.controllers if controller.working), None)
                if at_work is None and not self.coming:
                    break
            if not world.step():
                raise self.invariants.broken("livelock", "a run waits for nothing")
            self.events += 1
            if world.now > end or self.events > most:
                raise self.invariants.broken("livelock", f"no end after {self.events} events, {world.now:.0f} s")
        for controller in self.controllers:
            if controller.over:
                self.invariants.ended(controller)

    def _last_words(self) -> dict[str, Outcome]:
        for controller in reversed(self.controllers):
            if controller.over and not controller.refused:
                return dict(controller.coordinator.outcomes)
        return dict.fromkeys(self.world.machines, Outcome.NOT_REACHED)

    def _settle(self) -> dict[str, Outcome]:
        """Faults stop, the operator mends what can be mended, and resumes until a run changes nothing."""
        self.world.say("faults stop; the operator mends and resumes")
        self.calm = True
        self.hands.traps.clear()
        self._moments.clear()
        world = self.world
        world.ill.clear()
        world.vetoed.clear()
        world.slow_boots.clear()
        world.gates_fail_until = 0.0
        before: dict[str, Outcome] = {}
        for _ in range(RESUMES + len(self.plan.nodes)):
            self._mend()
            last = self.start(takes_over=True)
            self._play()
            told = dict(last.coordinator.outcomes)
            if told == before or all(outcome in WELL for outcome in told.values()):
                break
            before = told
        self._mend()
        self.invariants.settled(last)
        return told

    def _mend(self) -> None:
        """What an operator does before ``resume``: cables, keys, power buttons."""
        for machine in self.world.machines.values():
            self.world.heal(machine)
            self.world.revive(machine)
            machine.host_key = machine.sudo = True
            if machine.machine_id == STRANGER:
                machine.machine_id = f"id-{machine.name}"
            if machine.up and not machine.sshd:
                self.world.reset(machine, "the operator switches it off and on")
        self._rest(1800.0)

    def _rest(self, seconds: float) -> None:
        """Time passes, and nobody does anything."""
        done: list[None] = []
        self.world.at(seconds, done.append, None)
        while not done:
            self.world.step()
            self.events += 1
