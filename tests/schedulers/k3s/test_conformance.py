"""The rules of all schedulers, for k3s: all of them with kubectl played, and with the real kubectl and what coreops
runs on a server those that are not about being broken off after each single step (that takes a thousand calls).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.schedulers.conformance import SchedulerConformance
from tests.schedulers.k3s.fake_kubernetes import Server
from tests.schedulers.k3s.world import Box, K3sWorld, PlayedWorld, needs_kubectl


class TestPlayed(SchedulerConformance):
    @pytest.fixture
    def worlds(self, server: Server, hosts: dict[str, Box]) -> Callable[[], K3sWorld]:
        return lambda: PlayedWorld(server, hosts)


@needs_kubectl
@pytest.mark.slow
class TestKubectl(SchedulerConformance):
    test_broken_off_after_any_step_and_done_again_ends_the_same = None  # type: ignore[assignment]
    test_what_was_broken_off_can_be_undone = None  # type: ignore[assignment]
    test_done_twice_is_as_if_done_once = None  # type: ignore[assignment]

    @pytest.fixture
    def worlds(self, server: Server, hosts: dict[str, Box]) -> Callable[[], K3sWorld]:
        return lambda: K3sWorld(server, hosts)
