"""The simulated etcd: quorum, elections, leases with tokens that only grow."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from coreops.upgrade.rehearse.store import Store

NONE = frozenset[str]()


def store(count: int = 3) -> Store:
    return Store((f"n{i}" for i in range(count)), Random(1))


def test_it_answers_while_there_is_a_leader():
    s = store()
    assert s.leader is not None
    leader = s.leader
    s.went(leader)
    assert not s.available
    assert s.wants_election
    s.elect(Random(1))
    assert s.available
    assert s.leader != leader


def test_without_quorum_nobody_leads():
    s = store()
    s.went("n0")
    s.went("n1")
    assert not s.wants_election
    assert not s.available
    s.came("n1")
    assert s.wants_election


def test_who_has_come_back_votes_before_it_serves():
    s = store()
    s.went("n0")
    s.came("n0")
    assert "n0" not in s.view().healthy
    assert not s.move("n0")
    s.caught_up("n0")
    assert "n0" in s.view().healthy


def test_a_lease_is_one_runs():
    s = store()
    first = s.acquire("n1", "a", NONE)
    assert s.acquire("n1", "a", NONE) == first
    assert s.acquire("n1", "b", NONE) == first
    s.release("n1", "b")
    assert s.leases["n1"] == first
    taken = s.acquire("n1", "b", frozenset({"a"}))
    assert taken.run == "b"
    assert taken.token > first.token


@given(st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from("abc"), st.booleans()), max_size=30))
def test_tokens_only_grow(acts):
    s, last = store(), {"x": 0, "y": 0}
    for name, run, give_back in acts:
        held = s.acquire(name, run, frozenset("abc"))
        assert held.run == run
        assert held.token >= last[name]
        last[name] = held.token
        if give_back:
            s.release(name, run)
            last[name] += 1


def test_without_members_leases_always_answer():
    assert store(0).available
