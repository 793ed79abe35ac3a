from collections.abc import Callable

import pytest

from coreops.model import Record, ShellStep
from tests.schedulers.conformance import SchedulerConformance
from tests.schedulers.issuing import IssuingConformance
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


class TestAcls(SchedulerConformance, IssuingConformance):
    """Nothing is answered without a token, which only servers have."""

    @pytest.fixture
    def worlds(self) -> Callable[[], World]:
        return lambda: NomadWorld(acl=True)


class Forgetful(NomadWorld):
    """The connection is lost after every request that changes something, before its answer: it is sent again."""

    def run(self, host: str, step: ShellStep) -> Record:
        if step.act:
            super().run(host, step)
        return super().run(host, step)


class TestLostAnswers(SchedulerConformance, IssuingConformance):
    @pytest.fixture
    def worlds(self) -> Callable[[], World]:
        return lambda: Forgetful(acl=True)
