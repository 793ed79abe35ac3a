"""fleet keeps the rules of all schedulers, as 1.0.0 and as 0.11.8 (the last one that Container Linux had)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from tests.schedulers.conformance import SchedulerConformance
from tests.schedulers.fleet.world import FakeWorld


class TestFleet(SchedulerConformance):
    @pytest.fixture
    def worlds(self) -> Callable[[], FakeWorld]:
        return FakeWorld


@pytest.mark.slow
class TestFleetBefore013(SchedulerConformance):
    """Units cannot be changed, and the engine's dice fall in another way each time."""

    @pytest.fixture
    def worlds(self) -> Callable[[], FakeWorld]:
        seeds = count(1)
        return lambda: FakeWorld(old=True, seed=next(seeds))
