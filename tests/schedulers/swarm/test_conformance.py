"""The adapter against the suite that all adapters pass, over a fake engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.schedulers.conformance import SchedulerConformance
from tests.schedulers.expelling import ExpellingConformance
from tests.schedulers.swarm.fake import World


class TestSwarm(SchedulerConformance, ExpellingConformance):
    @pytest.fixture
    def worlds(self) -> Callable[[], World]:
        return lambda: World().boot()


class Worker(World):
    node, other = "n5", "n4"


class TestWorker(ExpellingConformance):
    """One that has no vote to give up."""

    @pytest.fixture
    def worlds(self) -> Callable[[], World]:
        return lambda: Worker().boot()
