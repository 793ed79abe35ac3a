"""What an adapter must do whose engine draws secrets itself (``protocol.Issues``): a second suite beside
``SchedulerConformance``, for the same worlds, which also say what became of such a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import pytest

from coreops.schedulers.protocol import Issues, Move, Settled, runs_on
from tests.schedulers.worlds import World, hold, listed


class IssuingWorld(World, Protocol):
    def keep(self, name: str, content: bytes) -> None:
        """The controller writes ``pki/NAME``."""
        ...

    def install(self, host: str) -> None:
        """The playbook brings what the controller has to a host."""
        ...

    def good(self, name: str) -> Sequence[str]:
        """All that the engine takes."""
        ...

    def used(self, name: str) -> Sequence[str]:
        """What the controller has, and what each host that needs it has."""
        ...


class _BrokenOff(Exception):
    """As many steps were done as there were to be."""


class Run:
    """One run of bootstrap, which is broken off after so many steps. Nothing may be locked out after any of them."""

    def __init__(self, world: IssuingWorld, steps: int = 10_000) -> None:
        self.world, self.left, self.done = world, steps, 0
        # After how many steps the world had changed: broken off after the others, it is as after the one before.
        self.moved: set[int] = set()
        self.scheduler: Any = world.scheduler

    def go(self, *, rotate: bool) -> bool:
        """False when it was broken off."""
        try:
            for host in self.scheduler.cluster.names:
                self._step(lambda host=host: self.world.install(host))
            self._settle()
            if rotate:
                for name in self.scheduler.issued():
                    content = self._hold(runs_on(self.scheduler), lambda name=name: self.scheduler.issue(name))
                    self._step(lambda name=name, content=content: self.world.keep(name, content))
                for host in self.scheduler.cluster.names:
                    self._step(lambda host=host: self.world.install(host))
                self._settle()
        except _BrokenOff:
            return False
        return True

    def _settle(self) -> None:
        for _ in range(30):
            names = self.scheduler.cluster.names
            seen = {host: self._hold((host,), lambda host=host: self.scheduler.look(host)) for host in names}
            move = self.scheduler.decide(seen)
            if isinstance(move, Settled):
                return
            assert isinstance(move, Move)
            assert move.talks, move.title
            for host, make in move.talks.items():
                self._hold((host,), make)
        pytest.fail("it does not settle")

    def _step(self, act: Callable[[], None]) -> None:
        if not self.left:
            raise _BrokenOff
        self.left -= 1
        self.done += 1
        self.moved.add(self.done)
        act()
        self._check()

    def _hold(self, hosts: Sequence[str], make: Callable[[], Any]) -> Any:
        ended = hold(self.world, hosts, make, steps=self.left, after=self._check)
        self.left -= ended.steps
        self.moved |= {self.done + steps for steps in ended.moved}
        self.done += ended.steps
        if not ended.over:
            raise _BrokenOff
        assert ended.error is None, ended.error
        return ended.value

    def _check(self) -> None:
        for name in self.scheduler.issued():
            assert set(self.world.used(name)) <= set(self.world.good(name)), "somebody is locked out"


class IssuingConformance:
    """The rules."""

    @pytest.fixture
    def world(self, worlds: Callable[[], IssuingWorld]) -> IssuingWorld:
        return worlds()

    def test_a_new_secret_takes_the_place_of_the_old_one(self, world: IssuingWorld) -> None:
        assert isinstance(world.scheduler, Issues)
        assert world.scheduler.issued()
        before = {name: tuple(world.good(name)) for name in world.scheduler.issued()}
        assert Run(world).go(rotate=True)
        self._one(world)
        for name, old in before.items():
            assert not set(old) & set(world.good(name)), "the old one still opens"
        assert Run(world).go(rotate=True)
        self._one(world)

    def test_nothing_changes_without_being_asked(self, world: IssuingWorld) -> None:
        assert isinstance(world.scheduler, Issues)
        before = {name: tuple(world.good(name)) for name in world.scheduler.issued()}
        assert Run(world).go(rotate=False)
        assert {name: tuple(world.good(name)) for name in world.scheduler.issued()} == before

    @pytest.mark.parametrize("again", [False, True], ids=["finished", "made anew"])
    def test_broken_off_after_any_step_nothing_is_lost_and_nothing_is_left(
        self, worlds: Callable[[], IssuingWorld], again: bool
    ) -> None:
        whole = Run(worlds())
        assert whole.go(rotate=True)
        over = False
        for steps in sorted({1, *whole.moved, whole.done}):
            world = worlds()
            over = Run(world, steps).go(rotate=True)
            assert Run(world).go(rotate=again), f"broken off after {steps} steps"
            self._one(world)
        assert over, "another time it takes more steps"

    def _one(self, world: IssuingWorld) -> None:
        assert isinstance(world.scheduler, Issues)
        for name in world.scheduler.issued():
            assert len(world.good(name)) == 1
            assert set(world.used(name)) == set(world.good(name))
        assert all(node.state == "ready" for node in listed(world))
