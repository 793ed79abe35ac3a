"""The program of the node against a real etcd."""

from __future__ import annotations

import os
import signal

import pytest

from coreops.registration import record
from tests.registration.real_etcd import HOSTILE, MACHINE, Etcd, Node, until

pytestmark = pytest.mark.slow


def test_a_node_registers_and_leaves_at_once(etcd: Etcd, node: Node) -> None:
    node.say(hostile=HOSTILE, rack="7")
    node.start(ttl=60)
    (found,) = etcd.nodes().values()
    assert (found.host, found.machine_id, found.address, found.zone) == ("n1", MACHINE, "10.0.0.1", "a")
    assert found.labels == {"hostile": HOSTILE, "rack": "7"}
    assert found.scheduler == "swarm"
    assert len(found.boot_id) == 36
    assert found.since.endswith("Z")
    assert node.stop() == 0
    assert etcd.nodes() == {}
    assert "found 0 leases" in etcd.ctl("lease", "list").stdout


def test_a_node_that_dies_disappears_by_itself(etcd: Etcd, node: Node) -> None:
    node.start()
    node.stop(kill=True)
    assert etcd.nodes()
    until(lambda: not etcd.nodes())
    assert "found 0 leases" in etcd.ctl("lease", "list").stdout


def test_a_program_that_dies_goes_on_with_its_lease(etcd: Etcd, node: Node) -> None:
    node.start(ttl=60)
    before, lease = etcd.nodes(), node.lease
    node.stop(kill=True)
    node.start(ttl=60)
    assert (etcd.nodes(), node.lease) == (before, lease)
    assert "found 1 leases" in etcd.ctl("lease", "list").stdout
    node.stop()


def test_what_changes_is_published_without_a_gap(etcd: Etcd, node: Node) -> None:
    node.start(ttl=60)
    (before,) = etcd.nodes().values()
    node.say(disk="ssd")
    until(lambda: etcd.nodes()[MACHINE].labels)
    assert etcd.nodes()[MACHINE].since == before.since
    etcd.ctl("del", record.PREFIX + MACHINE)
    until(etcd.nodes)
    assert etcd.nodes()[MACHINE].since == before.since


def test_a_node_that_lost_its_lease_registers_again(etcd: Etcd, node: Node) -> None:
    node.start()
    lease = node.lease
    assert node.process
    os.kill(node.process.pid, signal.SIGSTOP)
    until(lambda: not etcd.nodes())
    os.kill(node.process.pid, signal.SIGCONT)
    until(etcd.nodes)
    until(lambda: node.lease not in ("", lease))


def test_it_outlives_the_store(etcd: Etcd, node: Node) -> None:
    node.start(ttl=60)
    etcd.stop()
    until(lambda: "no member of the store answers" in (node.folder / "log").read_text())
    etcd.start()
    until(etcd.nodes)
    assert node.process
    assert node.process.poll() is None


def test_a_new_program_takes_over_from_systemd(etcd: Etcd, node: Node) -> None:
    node.start(ttl=60)
    lease = node.lease
    (node.folder / "unit").write_text("[Service]\n")
    assert node.process
    assert node.process.wait(timeout=60) == 0
    node.process = None
    assert etcd.nodes()
    assert node.lease == lease


def test_two_machines_with_one_machine_id_are_told(etcd: Etcd, node: Node) -> None:
    node.start(ttl=60)
    twin = Node(etcd, node.folder / "twin")
    twin.start(ttl=60)
    until(lambda: "another machine registers as" in (node.folder / "log").read_text())
    twin.stop()
