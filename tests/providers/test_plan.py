"""What a lab consists of: names, addresses, zones, networks."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.providers.namespace.names import LabNames
from coreops.providers.namespace.plan import LabPlan, free_subnet


def empty(zones: int = 3) -> LabPlan:
    return LabPlan("lab", "10.77.4.0/24", zones, "abc")


def test_nodes_get_names_addresses_and_zones() -> None:
    nodes = empty().grown(4).nodes
    assert [(node.name, node.address, node.zone) for node in nodes] == [
        ("n1", "10.77.4.11", "z1"),
        ("n2", "10.77.4.12", "z2"),
        ("n3", "10.77.4.13", "z3"),
        ("n4", "10.77.4.14", "z1"),
    ]
    assert empty().controller_address == "10.77.4.1"


@given(st.integers(1, 100), st.integers(0, 100), st.integers(1, 5))
def test_growing_keeps_the_old_and_nothing_collides(first: int, more: int, zones: int) -> None:
    small = empty(zones).grown(first)
    large = small.grown(first + more)
    assert large.nodes[:first] == small.nodes
    assert len({node.address for node in large.nodes} | {large.controller_address}) == first + more + 1
    assert len({node.machine_id for node in large.nodes}) == first + more
    assert LabPlan.from_json(large.to_json()) == large


def test_a_plan_from_before_user_data_is_one_without() -> None:
    text = empty().to_json().replace('"inventories": [],\n  "cloud_init": false', '"inventories": []')
    assert "cloud_init" not in text
    assert not LabPlan.from_json(text).cloud_init


@pytest.mark.parametrize("nodes", [0, -1, 201])
def test_impossible_sizes(nodes: int) -> None:
    with pytest.raises(InputError, match="--nodes"):
        empty().grown(nodes)


def test_a_lab_does_not_shrink() -> None:
    with pytest.raises(InputError, match="has 3 nodes"):
        empty().grown(3).grown(2)


def test_free_subnet_avoids_what_is_in_use() -> None:
    used = ["10.77.0.0/24", "10.77.1.128/32", "192.0.2.0/24", "0.0.0.0/0"]
    assert free_subnet(map(IPv4Network, used)) == IPv4Network("10.77.2.0/24")
    with pytest.raises(InputError, match="no free"):
        free_subnet([IPv4Network("10.0.0.0/8")])


@given(st.lists(st.integers(0, 254), max_size=20))
def test_free_subnet_never_overlaps(taken: list[int]) -> None:
    used = [IPv4Network(f"10.77.{third}.0/24") for third in taken]
    assert not any(free_subnet(used).overlaps(network) for network in used)


@pytest.mark.parametrize("name", ["", "Lab", "1lab", "a/b", "..", "a b", "a.b", "-x", "a" * 21, "lab\n", "läb"])
def test_bad_lab_names(name: str) -> None:
    with pytest.raises(InputError, match="cannot be the name of a lab"):
        LabNames.of(name)


@given(st.from_regex(r"[a-z][a-z0-9-]{0,19}", fullmatch=True), st.from_regex(r"[a-z][a-z0-9-]{0,19}", fullmatch=True))
def test_host_names_of_labs_do_not_mix(one: str, other: str) -> None:
    first, second = LabNames.of(one), LabNames.of(other)
    assert len(first.uplink) <= 15
    if one != other:
        assert first.uplink != second.uplink
        assert not second.node("n1").netns.startswith(first.switch + ".")
        assert not second.folder.is_relative_to(first.folder)
