"""What an adapter must do that can forget a node which still runs (``protocol.Expels``): a second suite beside
``SchedulerConformance``, for the same worlds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from coreops.errors import RefusedError
from coreops.schedulers.protocol import Expels
from tests.schedulers.worlds import OPERATOR, World, cordon, hold, listed, must


class ExpellingConformance:
    """The rules."""

    @pytest.fixture
    def world(self, worlds: Callable[[], World]) -> World:
        return worlds()

    def test_a_node_with_work_is_not_expelled(self, world: World) -> None:
        assert isinstance(world.scheduler, Expels)
        expel, word = world.scheduler.expel, world.start(world.node)
        cordon(world, world.node, OPERATOR)
        ended = hold(world, world.scheduler.where(world.node), lambda: expel(world.node))
        assert isinstance(ended.error, RefusedError)
        assert word in str(ended.error)
        assert world.node in {node.host for node in listed(world)}
        assert world.running(world.node) == 1

    def test_a_node_that_runs_is_drained_and_expelled(self, worlds: Callable[[], World]) -> None:
        """Broken off after any step, and done again for as long as the scheduler knows the node."""
        for steps in range(1, 100):
            world = worlds()
            world.start(world.node)
            world.start(world.other)
            over = self._expel(world, steps)
            if world.node in {node.host for node in listed(world)}:
                assert self._expel(world, 10_000)
            assert world.node not in {node.host for node in listed(world)}
            assert world.other in {node.host for node in listed(world)}
            assert world.running(world.node) == 0
            assert world.running(world.other) >= 1
            if over:
                return
        pytest.fail("it takes more than 100 steps")

    def test_who_is_gone_is_forgotten_as_well(self, world: World) -> None:
        scheduler: Any = world.scheduler
        world.kill(world.node)
        hosts = [host for host in scheduler.where(world.node) if host != world.node]
        must(world, hosts, lambda: scheduler.expel(world.node))
        assert world.node not in {node.host for node in listed(world)}

    def _expel(self, world: World, steps: int) -> bool:
        scheduler: Any = world.scheduler
        hosts = [host for host in scheduler.where(world.node) if host != world.node]
        for talk in (
            lambda: scheduler.cordon(world.node, OPERATOR),
            lambda: scheduler.drain(world.node, OPERATOR),
            lambda: scheduler.expel(world.node),
        ):
            ended = hold(world, hosts, talk, steps=steps)
            steps -= ended.steps
            assert ended.error is None, ended.error
            if not ended.over:
                return False
        return True
