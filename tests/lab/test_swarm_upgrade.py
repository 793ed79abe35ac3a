"""``coreops upgrade`` of a swarm's nodes under load: the work moves away before a node goes down, clients that try
again see nothing of it, and whoever was drained by somebody else stays so. The tests build on each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from coreops.providers.namespace import flavour, image
from tests.lab.swarm import Swarm, eventually, service_under_load
from tests.lab.upgrades import NEW, NODES, OLD, Fleet, fleet, last_lines
from tests.support.twice import shown_by

pytestmark = pytest.mark.lab


@dataclass
class Cluster:
    fleet: Fleet
    swarm: Swarm

    def availability(self) -> dict[str, str]:
        return {name: node["Availability"] for name, node in self.swarm.nodes().items()}

    def unmarked(self) -> bool:
        """Does nothing of coreops's marks stand on any node?"""
        return not any("coreops.cordon" in self.swarm.labels(name) for name in NODES)

    def well(self) -> bool:
        return all(node["Status"] == "Ready" for node in self.swarm.nodes().values())


@pytest.fixture(scope="module")
def cluster(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    base = tmp_path_factory.mktemp("swarm-upgrade")
    with fleet(base, "w", extra="docker", scheduler="swarm", node_registry=False) as made:
        usr = image.current(flavour.of("docker")).usr
        for version in (OLD, NEW):
            made.publish(usr(version), version, to=None)
        made.coreops("channel", "promote", NEW, "--to", "stable")
        yield Cluster(made, Swarm(made.lab))


def test_all_nodes_are_upgraded_while_a_service_answers(cluster: Cluster) -> None:
    before = cluster.fleet.look()
    with service_under_load(cluster.swarm, replicas=3, patience=40) as load:
        said = cluster.fleet.upgrade()
        eventually(lambda: load.answered > 100, 120, "enough is asked and answered")
    assert [state.split()[0] for state in last_lines(said).values()] == ["done"] * 3
    assert load.failed == []
    after = cluster.fleet.look()
    assert all(after[name].release == NEW and after[name].boot_id != before[name].boot_id for name in NODES)
    assert cluster.availability() == dict.fromkeys(NODES, "Active")
    assert cluster.unmarked()


def test_a_killed_controller_leaves_a_cordon_that_resume_undoes(cluster: Cluster) -> None:
    with service_under_load(cluster.swarm, replicas=3, patience=40) as load:
        run = cluster.fleet.start_upgrade("--version", OLD, "--allow-downgrade", "--limit", "n1,n2")
        run.wait_for("n1", "drain")
        eventually(lambda: cluster.availability()["n1"] == "Drain", 180, "n1 is being drained")
        run.kill()
        assert not cluster.unmarked()
        cluster.fleet.coreops("resume", "--yes")
    assert load.failed == []
    assert [node.release for node in cluster.fleet.look().values()] == [OLD, OLD, NEW]
    assert cluster.availability() == dict.fromkeys(NODES, "Active")
    assert cluster.unmarked()


@shown_by("tests/lab/test_upgrade.py")
def test_a_node_that_an_operator_drained_is_upgraded_and_stays_drained(cluster: Cluster) -> None:
    cluster.fleet.coreops("drain", "n2", "-i", cluster.fleet.inventory, "--reason", "a bad disk")
    cluster.swarm.docker("node update --availability pause n1")
    cluster.fleet.upgrade()
    assert {node.release for node in cluster.fleet.look().values()} == {NEW}
    assert cluster.availability() == {"n1": "Pause", "n2": "Drain", "n3": "Active"}
    cluster.fleet.coreops("uncordon", "n1", "n2", "-i", cluster.fleet.inventory)
    assert cluster.availability() == dict.fromkeys(NODES, "Active")
    assert cluster.unmarked()


@shown_by("tests/lab/test_upgrade_trouble.py")
def test_work_that_does_not_go_keeps_its_node_up(cluster: Cluster) -> None:
    eventually(cluster.well, 180, "all nodes are ready")
    stubborn = "sh -c 'trap : TERM; while :; do sleep 1; done'"
    cluster.swarm.docker(
        "service create --detach --no-resolve-image --name stubborn --mode global --stop-grace-period 300s"
        f" lab/web:1 {stubborn}"
    )
    eventually(lambda: len(cluster.swarm.running("stubborn")) == 3, 180, "it runs everywhere")
    boots = {name: cluster.fleet.boots(name) for name in NODES}
    cluster.fleet.settings(upgrade_patience={"drain": 12})
    said = cluster.fleet.upgrade("--version", OLD, "--allow-downgrade", expect=1)
    failed = [end for end in last_lines(said).values() if end.startswith("failed")]
    assert len(failed) == 1
    assert "stubborn" in failed[0]
    assert {name: cluster.fleet.boots(name) for name in NODES} == boots
    assert cluster.availability() == dict.fromkeys(NODES, "Active")
    assert cluster.unmarked()
