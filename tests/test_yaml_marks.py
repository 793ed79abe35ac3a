"""The one YAML reader: places, and what is refused before it does harm. Values: tests of the readers above it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yaml.nodes import ScalarNode

from coreops.errors import InputError
from coreops.model import Position
from coreops.yaml_marks import Walk, compose, decode, place


@pytest.mark.parametrize(
    ("data", "where", "what"),
    [
        (b"a: \xff", "f:1:4", "not UTF-8"),
        (b"ok\n\xe9", "f:2:1", "not UTF-8"),
        ("a".encode("utf-16"), "f", "not UTF-8"),
        (b"\x7fELF\0", "f", "a binary file"),
    ],
)
def test_what_is_no_text_is_refused_with_its_place(data: bytes, where: str, what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        decode(data, "f")
    assert caught.value.where == where


@given(st.text())
def test_text_is_decoded(text: str) -> None:
    data = text.encode()
    if b"\0" not in data:
        assert decode(data, "f") == text


def test_places_count_from_one() -> None:
    assert place("ab\ncd", 4, "f") == Position("f", 2, 2)
    assert place("ab\ncd", 0, "f") == Position("f", 1, 1)


@pytest.mark.parametrize(("levels", "deepest", "fine"), [(50, 50, True), (51, 50, False), (51, 100, True)])
def test_depth_is_the_readers_choice(levels: int, deepest: int, fine: bool) -> None:
    text = "[" * levels + "]" * levels
    if fine:
        assert compose(text, "f", deepest) is not None
    else:
        with pytest.raises(InputError, match=f"nested deeper than {deepest} levels") as caught:
            compose(text, "f", deepest)
        assert caught.value.where == f"f:1:{levels}"


def test_a_block_is_deep_too() -> None:
    text = "".join("  " * level + "a:\n" for level in range(60))
    with pytest.raises(InputError, match="nested deeper"):
        compose(text, "f", 50)


@pytest.mark.parametrize("text", ['!!int ""', "!!float ''", "!!bool x", "!!timestamp x", "!!int _", "!!int 1:x"])
def test_a_tag_before_what_it_does_not_fit_is_no_crash(text: str) -> None:
    node = compose(text, "f")
    assert isinstance(node, ScalarNode)
    with pytest.raises(InputError, match="is not a value"):
        Walk("f").scalar(node)


def test_a_walk_counts_and_knows_where_it_is() -> None:
    node = compose("[a, b]", "f")
    assert node is not None
    walk = Walk("f", most=1)
    walk.count(node)
    with pytest.raises(InputError, match="holds more than 1 values"):
        walk.count(node)
    walk.enter(node)
    with pytest.raises(InputError, match="an alias contains itself"):
        walk.enter(node)
    walk.leave(node)
    walk.enter(node)
