"""A simulated controller process: a coordinator, the clocks it reads, and the ways in which it can go away.

What it was told (answers that arrived) is kept here, because a rule can only be held against what a controller could
have known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from coreops.upgrade.coordinator import Coordinator
from coreops.upgrade.plan import Plan
from coreops.upgrade.protocol import Did, Do, Failed, Happening, LeaseLost, Stop, Tick
from coreops.upgrade.rehearse.hands import LEDGER, Hands
from coreops.upgrade.rehearse.images import NEVER
from coreops.upgrade.rehearse.world import World

HEARTBEAT = 60.0
"""Seconds without a renewal after which a run counts as dead."""

_TICK = 1e-4
"""An alarm rings this much later, so that it has come however the clocks are rounded."""

Make = Callable[[Plan], Coordinator]


class Watcher(Protocol):
    """Sees what controllers decide."""

    def emitted(self, controller: Controller, do: Do) -> None: ...
    def stepped(self, controller: Controller, node: str | None) -> None: ...


class Controller:
    """One run of coreops. alive: the process exists; asleep: it is suspended and hears nothing until it wakes.

    skew: what its wall clock is off by; lag: how far its monotonic clock is behind (it stood still in a suspend).
    doomed: it is killed in its next step, after so many of the commands that step gives. down: nodes whose last word
    was none, and since when; unseen: nodes that have said nothing yet.
    """

    def __init__(self, world: World, hands: Hands, plan: Plan, make: Make, watcher: Watcher) -> None:
        self.world, self.hands, self.plan, self.watcher = world, hands, plan, watcher
        self.run = plan.run
        self.coordinator = make(plan)
        self.alive = True
        self.asleep = False
        self.over = False
        self.skew = self.lag = 0.0
        self.doomed: int | None = None
        self.down: dict[str, float] = {}
        self.unseen = set(world.machines)
        self._asleep_since = NEVER
        self._jump = (-1e9, 0.0)
        self._ledger: set[int] = set()
        self.on_step: list[Callable[[Controller], object]] = []
        self._backlog: list[Happening] = []
        self._wake: float | None = None
        self._alarm = NEVER

    @property
    def now(self) -> float:
        return self.world.now - self.lag

    @property
    def wall(self) -> float:
        return self.world.wall + self.skew

    def walls(self) -> tuple[float, ...]:
        """What its clock shows, and what it would show if it had not jumped a moment ago."""
        when, by = self._jump
        return (self.wall, self.wall - by) if self.world.now - when < 60.0 else (self.wall,)

    def jump(self, seconds: float) -> None:
        """Somebody sets its clock."""
        self.world.say(f"run {self.run}: its clock jumps by {seconds:+.0f} s")
        self.skew += seconds
        self._jump = (self.world.now, seconds)

    @property
    def shows_life(self) -> bool:
        """Does it still renew its leases?"""
        return self.working and self.world.now - self._asleep_since < HEARTBEAT

    @property
    def refused(self) -> bool:
        """It never got the rollout's lease."""
        return bool(self.coordinator.refused) and self.unseen == set(self.world.machines)

    @property
    def working(self) -> bool:
        """It may still do something by itself."""
        return self.alive and not self.over

    def start(self) -> None:
        self.world.say(f"run {self.run}: starts")
        self._follow(self.coordinator.begin(self.now, self.wall), None)

    def hear(self, happening: Happening) -> None:
        """What reaches the process."""
        if not self.alive or self.over:
            return
        if self.asleep:
            self._backlog.append(happening)
            return
        self._learn(happening)
        if self.world.trace is not None and not isinstance(happening, Tick):
            self.world.say(f"run {self.run}: hears {_text(happening)}")
        node = happening.node if isinstance(happening, Did | Failed) else None
        now = self.world.now
        self._follow(self.coordinator.handle(happening, now - self.lag, self.world.epoch + now + self.skew), node)

    def stop(self, why: str) -> None:
        """The operator presses Ctrl-C, once."""
        self.hear(Stop(why))

    def kill(self) -> None:
        """SIGKILL. What it sent is on its way."""
        self.world.say(f"run {self.run}: is killed")
        self.alive = False

    def sleep(self, clock_stops: bool, seconds: float) -> None:
        """SIGSTOP, or the machine is suspended (then its monotonic clock stands still)."""
        self.world.say(f"run {self.run}: is suspended for {seconds:.0f} s")
        self.asleep = True
        self._asleep_since = self.world.now
        self.world.at(seconds, self._awake, seconds if clock_stops else 0.0)

    def _awake(self, lost: float) -> None:
        """Before it believes anything it renews its leases: a process cannot know for how long it slept."""
        self.world.say(f"run {self.run}: wakes")
        self.asleep, self._asleep_since = False, NEVER
        self.lag += lost
        self._backlog, backlog = [], self._backlog
        for happening in (*(h for h in backlog if isinstance(h, LeaseLost)), *backlog):
            self.hear(happening)
        self.hear(Tick())

    def soon(self, call: Callable[[], object]) -> None:
        """Have something happen to it right after the present step."""
        self.world.at(0.0, call)

    def lost(self, name: str, why: str) -> None:
        """A renewal says that a lease is gone."""
        self.hear(LeaseLost(name, why))

    def _learn(self, happening: Happening) -> None:
        if isinstance(happening, Did):
            if happening.serial in self._ledger:
                self._ledger.discard(happening.serial)
                return
            self.down.pop(happening.node, None)
            self.unseen.discard(happening.node)
        elif isinstance(happening, Failed):
            if happening.serial in self._ledger:
                return
            if happening.kind in ("unreachable", "identity"):
                self.down.setdefault(happening.node, self.world.now)
            else:
                self.down.pop(happening.node, None)

    def _follow(self, commands: list[Do], node: str | None) -> None:
        for step in self.on_step:
            step(self)
        if self.doomed is not None:
            commands = commands[: self.doomed]
        now = self.now
        for do in commands:
            if self.world.trace is not None:
                self.world.say(f"run {self.run}: {do.action} {do.node}{' ' + do.detail if do.detail else ''}")
            if do.action in LEDGER:
                self._ledger.add(do.serial)
            self.watcher.emitted(self, do)
            self.hands.send(self, do, max(0.0, do.at - now))
        if self.doomed is not None:
            self.kill()
            return
        self.watcher.stepped(self, node)
        if self.coordinator.over:
            self.over = True
            self.world.say(f"run {self.run}: is over")
            return
        self._set_alarm()

    def _set_alarm(self) -> None:
        """An alarm that is set and comes too early is not set anew: it sets the next one when it rings."""
        wake = self._wake = self.coordinator.wake()
        if wake is not None and not self._alarm <= wake:
            self._alarm = wake
            self.world.at(max(0.0, wake - self.now) + _TICK, self._ring, wake)

    def _ring(self, alarm: float) -> None:
        if alarm != self._alarm or not self.working:
            return
        self._alarm = NEVER
        if self._wake is not None and self._wake <= self.now:
            self.hear(Tick())
        else:
            self._set_alarm()


def _text(happening: Happening) -> str:
    if isinstance(happening, Failed):
        return f"from {happening.node}: {happening.kind}: {happening.why}"
    if isinstance(happening, Did):
        parts = [f"from {happening.node}:"]
        if happening.seen:
            s = happening.seen
            parts.append(f"{s.machine_id}, boot {s.boot_id}, slot {s.slot}, {s.version}{' good' if s.good else ''}")
            parts += [word for word, holds in (("drained", s.drained), ("cordoned", s.cordoned)) if holds]
            parts.append(f"ticket {s.ticket.stage}" if s.ticket else "no ticket")
        elif happening.health:
            parts += [happening.health.verdict, *happening.health.reasons]
        else:
            parts.append(f"done{f', token {happening.token}' if happening.token else ''}")
        return " ".join(parts)
    return f"{type(happening).__name__} {getattr(happening, 'why', '')}"
