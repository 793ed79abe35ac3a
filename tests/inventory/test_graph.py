"""Depth, ancestors, walking order and cycles of groups."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.inventory.graph import ancestors, depths, walk
from coreops.model import Position

EDGES = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=16)


def graph(edges: list[tuple[int, int]]) -> dict[str, dict[str, Position]]:
    children: dict[str, dict[str, Position]] = {str(n): {} for n in range(8)}
    for line, (parent, child) in enumerate(edges, 1):
        children[str(parent)].setdefault(str(child), Position("f", line))
    return children


def paths(children: dict[str, dict[str, Position]], to: str) -> list[int]:
    above = [name for name, below in children.items() if to in below]
    return [0] if not above else [length + 1 for name in above for length in paths(children, name)]


@given(EDGES)
def test_depth_is_the_longest_way_from_a_root(edges: list[tuple[int, int]]) -> None:
    children = graph([(a, b) for a, b in edges if a < b])
    depth, parents = depths(children)
    for name in children:
        assert depth[name] == max(paths(children, name))
        assert {name} <= ancestors([name], parents)
        assert all(
            name in set(walk(up, {k: list(v) for k, v in children.items()})) for up in ancestors([name], parents)
        )


@given(EDGES)
def test_every_cycle_is_found_and_really_is_one(edges: list[tuple[int, int]]) -> None:
    children = graph(edges)
    reachable = {name: set(children[name]) for name in children}
    for _ in children:
        for below in reachable.values():
            below.update(*(reachable[name] for name in list(below)))
    if not any(name in below for name, below in reachable.items()):
        depths(children)
        return
    with pytest.raises(InputError) as caught:
        depths(children)
    assert caught.value.why is not None
    loop = caught.value.why.split(" > ")
    assert loop[0] == loop[-1]
    assert all(below in children[name] for name, below in itertools.pairwise(loop))


def test_a_long_chain_needs_no_deep_stack() -> None:
    chain = {str(n): ({str(n + 1): Position("f", n)} if n < 5000 else {}) for n in range(5001)}
    depth, _ = depths(chain)
    assert depth["5000"] == 5000


def test_walk_goes_level_by_level_in_the_order_written() -> None:
    children = {"a": ["b", "c"], "b": ["d"], "c": ["d", "e"], "d": [], "e": []}
    assert list(walk("a", children)) == ["a", "b", "c", "d", "e"]
