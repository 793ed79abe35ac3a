from collections.abc import Callable

import pytest

from tests.schedulers.conformance import SchedulerConformance
from tests.schedulers.nomad.world import NomadWorld
from tests.schedulers.worlds import World


class TestWorker(SchedulerConformance):
    """A node that only takes work, on a Nomad whose drains end before the tasks do."""

    @pytest.fixture
    def worlds(self) -> Callable[[], World]:
        return NomadWorld


class TestServer(SchedulerConformance):
    """A server that also takes work, on a Nomad that waits for the tasks."""

    @pytest.fixture
    def worlds(self) -> Callable[[], World]:
        return lambda: NomadWorld("n2", "n3", hasty=False)
