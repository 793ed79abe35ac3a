"""The rules of all schedulers, for k3s: all of them with kubectl played, and with the real kubectl and what coreops
runs on a server those in which each thing that is asked of kubectl is asked at least once: it is the most part of what
they cost. COREOPS_ALL_KUBECTL=1: all with it, but those about being broken off after each single step.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.schedulers.conformance import SchedulerConformance
from tests.schedulers.k3s.fake_kubernetes import Server
from tests.schedulers.k3s.world import Box, K3sWorld, PlayedWorld, needs_kubectl

ENOUGH = {
    "test_any_host_that_may_be_asked_can_answer",  # cordon, drain and uncordon
    "test_tasks_are_counted_where_they_run",
    "test_an_operators_cordon_outlives_an_upgrade",
    "test_a_drain_waits_for_the_tasks_and_names_them",
    "test_an_older_controller_is_refused",
    "test_a_node_that_is_gone_is_forgotten",
}


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

    @pytest.fixture(autouse=True)
    def _enough(self, request: pytest.FixtureRequest) -> None:
        if request.function.__name__ not in ENOUGH and not os.environ.get("COREOPS_ALL_KUBECTL"):
            pytest.skip("the same with kubectl played is enough: with the real one only with COREOPS_ALL_KUBECTL=1")

    @pytest.fixture
    def worlds(self, server: Server, hosts: dict[str, Box]) -> Callable[[], K3sWorld]:
        return lambda: K3sWorld(server, hosts)
