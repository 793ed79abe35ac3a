"""Whatever is found on the hosts, some things are never decided. Pure: states are drawn, nothing runs."""

from __future__ import annotations

from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from coreops.errors import CoreopsError
from coreops.schedulers.k3s import joining, versions
from coreops.schedulers.k3s.kube import ETCD_ROLE, KubeNode
from coreops.schedulers.k3s.looking import Found
from coreops.schedulers.k3s.settings import Plan, plan
from coreops.schedulers.protocol import Move
from tests.schedulers.k3s.world import ROLES, VERSION, cluster

SERVERS, AGENTS = ("m1", "m2", "m3"), ("w1", "w2")
PLANS = {"embedded": plan(cluster(ROLES)), "store": plan(cluster(ROLES, store=("https://10.0.0.1:2379",)))}


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Found]:
    """Any mixture of hosts that are fresh, in a cluster, stopped, wiped, stale; and what Kubernetes says of them."""
    flag, mostly = (
        partial(draw, st.booleans()),
        partial(draw, st.just(True) if draw(st.booleans()) else st.sampled_from([True, True, True, False])),
    )
    ready = {name: mostly() for name in ROLES if mostly()}
    nodes = tuple(
        KubeNode(name=name, ready=well, labels={ETCD_ROLE: "true"} if name in SERVERS else {})
        for name, well in ready.items()
    )
    found = {}
    for name in ROLES:
        active = "active" if mostly() else draw(st.sampled_from(["", "inactive", "activating", "failed"]))
        answers = name in SERVERS and active == "active" and mostly()
        found[name] = Found(
            host=name, active=active, joined=mostly(), formed=name in SERVERS and flag(), data=flag(), stale=flag(),
            password=flag(), rejected=flag(), running=versions.parse(VERSION) if flag() else None,
            nodes=nodes if answers else None,
        )  # fmt: skip
    return found


def told(move: Move) -> dict[str, str]:
    """Host -> what it is told: first, join, store, start, or say for talks with Kubernetes."""
    kinds = {}
    for host, talk in move.talks.items():
        if isinstance(talk, partial) and talk.func is joining._join:
            kinds[host] = talk.args[1]
        else:
            kinds[host] = "start" if isinstance(talk, partial) and talk.func is joining._start else "say"
    return kinds


def decided(wanted: Plan, seen: dict[str, Found]) -> dict[str, str]:
    try:
        move = joining.decide(wanted, seen)
    except CoreopsError:
        return {}
    return told(move) if isinstance(move, Move) else {}


@settings(max_examples=150)
@given(worlds(), st.sampled_from(sorted(PLANS)))
def test_what_is_decided_is_safe(seen: dict[str, Found], datastore: str):
    kinds = decided(PLANS[datastore], seen)
    no_second_cluster_is_founded(seen, datastore, kinds)
    servers_that_serve_are_touched_one_at_a_time(seen, kinds)
    agents_wait_for_an_api(seen, kinds)


def no_second_cluster_is_founded(seen: dict[str, Found], datastore: str, kinds: dict[str, str]) -> None:
    if "first" in kinds.values():
        assert datastore == "embedded"
        assert list(kinds.values()) == ["first"]
        assert not any(seen[name].formed or seen[name].data or seen[name].nodes is not None for name in SERVERS)


def servers_that_serve_are_touched_one_at_a_time(seen: dict[str, Found], kinds: dict[str, str]) -> None:
    touched = [name for name in SERVERS if kinds.get(name) not in (None, "say")]
    serving = [name for name in SERVERS if seen[name].nodes is not None]
    if serving:
        assert len(touched) <= 1
        there = {node.name: node for node in seen[serving[0]].nodes or ()}
        for name in set(serving) - set(touched):
            assert not touched or there[name].ready, "a server was touched while another one is not well"


def agents_wait_for_an_api(seen: dict[str, Found], kinds: dict[str, str]) -> None:
    if any(kinds.get(name) for name in AGENTS):
        assert any(seen[name].nodes is not None for name in SERVERS)
    for host, kind in kinds.items():
        if kind == "say":
            assert seen[host].nodes is not None, "what is asked of Kubernetes is asked where it answers"
