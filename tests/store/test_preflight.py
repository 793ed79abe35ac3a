from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from coreops.model import Position
from coreops.store import preflight
from coreops.store.cluster import Member
from coreops.store.observe import Clock, Node

MEMBERS = [Member(f"n{i}", f"10.0.0.{i}") for i in (1, 2, 3)]
TOKEN = "coreops-1"


def good(i: int, **changes: Any) -> Node:
    node = Node(
        host=f"n{i}", arch="x86_64", os="debian 12", hostname=f"n{i}", machine_id=f"m{i}", boot_id=f"b{i}", systemd=252,
        free_opt=1 << 20, free_data=1 << 20, clock=Clock(-0.01, 0.02),
    )  # fmt: skip
    return replace(node, **changes)


def found(**second: Any) -> tuple[preflight.Problem, ...]:
    return preflight.problems(MEMBERS, {"n1": good(1), "n2": good(2, **second), "n3": good(3)}, TOKEN)


def test_good_nodes_have_no_problem() -> None:
    assert found() == ()


def test_our_running_etcd_is_no_problem() -> None:
    ours = {"unit": preflight.UNIT, "active": True, "data": True, "token": TOKEN, "listening": frozenset({2379, 2380})}
    assert found(**ours, free_data=0, free_opt=0, release="3.5.1-x") == ()


@pytest.mark.parametrize(
    ("change", "what", "advice"),
    [
        ({"uid": 1000}, "not root", "sudo"),
        ({"systemd": None}, "no systemd", "systemd"),
        ({"systemd": 200}, "systemd is too old", "upgrade"),
        ({"arch": "mips"}, "unsupported architecture mips", "another machine"),
        ({"arch": "aarch64"}, "wrong architecture", "etcd_arch: arm64"),
        ({"free_opt": 10 * 1024}, "too little space for /opt", "free"),
        ({"free_data": 0}, "too little space for /var/lib/etcd", "free"),
        ({"listening": frozenset({22, 2380})}, "port 2380 is taken", "ss -ltnp"),
        ({"data": True}, "/var/lib/etcd holds another cluster's data", "move it away"),
        ({"data": True, "token": "other"}, "/var/lib/etcd holds another cluster's data", "pki"),
        ({"other_data": ("/var/lib/etcd/default/member",)}, "another etcd has data", "move it away"),
        ({"active": True, "unit": "/lib/systemd/system/etcd.service"}, "another etcd.service is running", "disable"),
        ({"machine_id": "m1"}, "not a machine-id of its own", "/etc/machine-id"),
        ({"hostname": "n1"}, "not a host name of its own", "host name"),
        ({"clock": Clock(4.9, 5.0)}, "its clock is off", "time service"),
        ({"clock": Clock(-5.0, -4.9)}, "its clock is off", "time service"),
    ],
)
def test_each_problem_names_host_reason_and_advice(change: dict[str, Any], what: str, advice: str) -> None:
    problems = [p for p in found(**change) if what in p.what]
    assert problems
    assert problems[0].host in ("n2", "n3")
    assert problems[0].why
    assert advice in problems[0].next


def test_nodes_apart_from_each_other_but_near_the_controller() -> None:
    nodes = {"n1": good(1, clock=Clock(0.7, 0.8)), "n2": good(2, clock=Clock(-0.8, -0.7)), "n3": good(3)}
    (problem,) = preflight.problems(MEMBERS, nodes, TOKEN)
    assert (problem.host, problem.why) == ("n1", "1.4 s ahead of n2's")


def test_members_that_may_differ_by_more() -> None:
    loose = [replace(member, clock_skew=2.0) for member in MEMBERS]
    nodes = {"n1": good(1, clock=Clock(1.7, 1.8)), "n2": good(2), "n3": good(3)}
    assert preflight.problems(loose, nodes, TOKEN) == ()
    assert preflight.problems([loose[0], *MEMBERS[1:]], nodes, TOKEN) == ()
    (problem,) = preflight.problems([MEMBERS[0], *loose[1:]], nodes, TOKEN)
    assert (problem.host, problem.why) == ("n1", "+1.7 s from the controller's")


def test_a_slow_exchange_alone_is_no_skew() -> None:
    assert found(clock=Clock(-30.0, 0.1)) == ()


def test_one_problem_is_an_error_of_its_own() -> None:
    error = preflight.refusal(found(systemd=None))
    assert (error.where, error.what) == ("n2", "no systemd")


def test_many_problems_are_one_error_that_lists_them_all() -> None:
    error = preflight.refusal(found(systemd=None, uid=5))
    assert "2 problems on 1 hosts; nothing was touched" in error.what
    assert (error.why or "").count("n2:") == 2


def test_two_that_are_one_are_named_with_their_places() -> None:
    places = {f"n{i}": (Position("hosts.yml", i), frozenset({f"10.0.0.{i}"})) for i in (1, 2, 3)}
    nodes = {
        "n1": good(1, macs=("52:54:00:00:00:01",)),
        "n2": good(2, macs=("52:54:00:00:00:01",), addresses=("10.0.0.2", "10.0.0.3")),
        "n3": good(3, addresses=("10.0.0.3",)),
    }
    mac, address = preflight.problems(MEMBERS, nodes, TOKEN, places)
    assert (mac.host, mac.what) == ("n2", "not a MAC address of its own")
    assert mac.why == "n1 (hosts.yml:1) and n2 (hosts.yml:2) have 52:54:00:00:00:01"
    assert (address.what, address.why) == (
        "not an address of its own",
        "n3 (hosts.yml:3) and n2 (hosts.yml:2) have 10.0.0.3",
    )
