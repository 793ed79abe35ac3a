"""Hosts and nodes as one list."""

from __future__ import annotations

from coreops.schedulers.listing import APART, MISSING, counted, open_nodes, rows
from coreops.schedulers.protocol import Cluster, Host, Node, Workload

CLUSTER = Cluster(
    scheduler="toy",
    hosts=(
        Host(name="n1", address="10.0.0.1", role="manager", zone="a", labels={"zone": "a", "disk": "ssd"}),
        Host(name="n2", address="10.0.0.2", role="worker", zone="b", labels={"zone": "b"}),
    ),
)


def test_every_host_and_every_stray() -> None:
    nodes = (
        Node(
            name="x1", host="n1", role="manager", leader=True, running=2, version="1.0", labels={"coreops.host": "n1"}
        ),
        Node(name="old", state="down", running=0),
        Node(name="x9", host="n9"),
    )
    found = rows(("n1", "n2", "n3"), CLUSTER, nodes)
    assert [(row.host, row.state, row.role, row.stray) for row in found] == [
        ("n1", "ready", "manager", False),
        ("n2", MISSING, "worker", False),
        ("n3", APART, "", False),
        ("old", "down", "worker", True),
        ("x9", "ready", "worker", True),
    ]
    assert (found[0].leader, found[0].running, found[0].zone, found[0].labels) == (True, 2, "a", {})
    assert (found[1].zone, found[1].labels) == ("b", {})


def test_of_two_nodes_of_a_host_the_ready_one_counts() -> None:
    gone, here = Node(name="x1", host="n1", state="down"), Node(name="x2", host="n1")
    for nodes in ((gone, here), (here, gone)):
        found = rows(("n1",), CLUSTER, nodes)
        assert [(row.host, row.state, row.stray) for row in found] == [("n1", "ready", False), ("x1", "down", True)]


def test_tasks_are_counted_where_nobody_did() -> None:
    work = [Workload(service="web", task=f"web.{n}", host="n1", state="running") for n in range(3)]
    nodes = counted((Node(name="a", host="n1"), Node(name="b", host="n2"), Node(name="c", host="n3", running=7)), work)
    assert [node.running for node in nodes] == [3, 0, 7]


def test_who_takes_work() -> None:
    nodes = (
        Node(name="a", host="n1"),
        Node(name="b", host="n2", cordoned="other"),
        Node(name="c", host="n3", state="down"),
        Node(name="d"),
    )
    assert open_nodes(nodes) == ("n1", "d")
