"""Every node's turn in a rollout, with the adapters of schedulers other than Swarm over models of their engines: work
is gone before a node goes down, runs elsewhere meanwhile, and no cordon is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest

from coreops.schedulers.protocol import Talk
from coreops.upgrade.cluster.scheduling import Scheduling
from coreops.upgrade.observation import Health
from tests.schedulers.fleet.world import FakeWorld
from tests.schedulers.nomad.world import NomadWorld
from tests.schedulers.worlds import OPERATOR, cordon, listed, must

T = TypeVar("T")


class Held:
    """Carries out talks in a world."""

    def __init__(self, world: Any) -> None:
        self.world = world

    def talk(self, hosts: Sequence[str], make: Callable[[], Talk[T]], *, patience: float, title: str) -> T:
        return must(self.world, hosts, make)


class Fleet(FakeWorld):
    """fleetd on five machines."""

    def reboot(self, host: str) -> None:
        self.kill(host)
        self.boot(host)


class Nomad(NomadWorld):
    """Three servers and two clients."""

    def reboot(self, host: str) -> None:
        self.kill(host)
        self.nomad.leader = self.nomad.leader or "n1"
        for server in self.nomad.servers:
            server.status = "alive"
        self.nomad.named(host).status = "ready"


@pytest.mark.parametrize(
    "make", [Fleet, Nomad, lambda: Nomad(hasty=False, acl=True)], ids=["fleet", "nomad", "nomad with ACLs"]
)
def test_every_node_has_its_turn(make: Callable[[], Any]) -> None:
    world = make()
    scheduling = Scheduling(world.scheduler, Held(world))
    hosts = world.scheduler.cluster.names
    for host in hosts[:2]:
        world.start(host)
    theirs = world.other
    cordon(world, theirs, OPERATOR)
    for token, host in enumerate(hosts, 1):
        for waits in hosts[: token - 1]:
            assert world.open(waits) or waits == theirs
        scheduling.drain(host, token, 60)
        assert world.running(host) == 0, f"{host} goes down with work on it"
        assert sum(map(world.running, hosts)) == 2
        assert scheduling.judged(host, "before", Health(), scheduling.look()).verdict == "ok"
        world.reboot(host)
        assert scheduling.judged(host, "after", Health(), scheduling.look()).verdict == "ok"
        scheduling.uncordon(host, token, 60)
        assert world.open(host) == (host != theirs)
    world.tick()
    assert sum(map(world.running, hosts)) == 2
    assert {node.host: node.cordoned for node in listed(world)} == {
        host: "operator" if host == theirs else "" for host in hosts
    }


def test_a_node_that_is_not_back_is_waited_for() -> None:
    world = Fleet()
    scheduling = Scheduling(world.scheduler, Held(world))
    scheduling.drain("w1", 1, 60)
    world.kill("w1")
    health = scheduling.judged("w1", "after", Health(), scheduling.look())
    assert (health.verdict, health.reasons) == ("wait", ("the node is down in fleet",))
    world.boot("w1")
    assert scheduling.judged("w1", "after", Health(), scheduling.look()).verdict == "ok"
