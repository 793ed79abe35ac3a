"""The order of a rollout: canaries, then those without a member, zone by zone, the leader last."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coreops.upgrade.planning.order import Standing, order

NODES = st.lists(
    st.builds(
        Standing,
        name=st.text("abcdefgh", min_size=1, max_size=6),
        zone=st.sampled_from(["", "z1", "z2", "z3"]),
        member=st.booleans(),
        chosen=st.booleans(),
        idle=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda node: node.name,
)


def names(nodes: list[Standing], canaries: int = 0) -> list[str]:
    return [node.name for node in order(nodes, canaries)]


@given(NODES, st.integers(0, 4))
def test_everybody_has_one_place_and_a_reason(nodes: list[Standing], canaries: int) -> None:
    planned = order(nodes, canaries)
    assert sorted(node.name for node in planned) == sorted(node.name for node in nodes)
    assert all(node.why for node in planned)
    if not any(node.member for node in nodes):
        assert not any("member" in node.why for node in planned)


@given(NODES, st.integers(1, 4))
def test_canaries_are_in_front_and_have_something_to_do(nodes: list[Standing], canaries: int) -> None:
    idle = {node.name for node in nodes if node.idle}
    planned = order(nodes, canaries)
    assert sorted(planned, key=lambda node: not node.canary) == list(planned)
    assert not idle & {node.name for node in planned if node.canary}
    busy = len(nodes) - len(idle)
    assert sum(node.canary for node in planned) >= min(canaries, busy)


def test_workers_first_then_members_zone_by_zone_the_leader_last() -> None:
    nodes = [
        Standing(name="s1", zone="z1", member=True, leader=True),
        Standing(name="s2", zone="z2", member=True),
        Standing(name="w1", zone="z1"),
        Standing(name="w2", zone="z2"),
        Standing(name="w3", zone="z1"),
        Standing(name="s3", zone="z1", member=True),
    ]
    assert names(nodes) == ["w1", "w3", "w2", "s3", "s2", "s1"]


def test_the_inventorys_canaries_are_canaries_all_of_them() -> None:
    nodes = [Standing(name="a"), Standing(name="b", chosen=True), Standing(name="c", chosen=True)]
    assert [node.canary for node in order(nodes, 1)] == [True, True, False]
    assert not any(node.canary for node in order(nodes, 0))


def test_the_leader_is_no_canary_unless_it_is_alone() -> None:
    leader = Standing(name="l", member=True, leader=True)
    assert [node.name for node in order([leader, Standing(name="m", member=True)], 1) if node.canary] == ["m"]
    assert order([leader], 1)[0].canary
    assert not order([leader, Standing(name="m", member=True)], 2)[1].canary
