"""The adapter against the suite that all adapters pass, over a fake engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.schedulers.conformance import SchedulerConformance
from tests.schedulers.swarm.fake import World


class TestSwarm(SchedulerConformance):
    @pytest.fixture
    def worlds(self) -> Callable[[], World]:
        return lambda: World().boot()
