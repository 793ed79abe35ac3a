"""A value is what a frozen dataclass with slots is, wherever somebody can tell."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass, field, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.frozen import frozen


@frozen
class Nothing:
    """No fields."""


@frozen
class Point:
    x: object
    y: object = 0
    secret: str = field(default="", repr=False)
    note: str = field(default="", compare=False)


@frozen(kw_only=True)
class Named(Point):
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Model:
    x: object
    y: object = 0
    secret: str = field(default="", repr=False)
    note: str = field(default="", compare=False)


VALUES = st.tuples(
    st.integers(0, 1) | st.text(max_size=1), st.integers(0, 1), st.sampled_from("ab"), st.text(max_size=1)
)


@given(VALUES, VALUES)
def test_equality_hash_and_text_are_a_dataclass_s(one: Any, other: Any) -> None:
    ours = [Point(*one), Point(*other)]
    theirs = [Model(*one), Model(*other)]
    assert (ours[0] == ours[1]) == (theirs[0] == theirs[1])
    assert (hash(ours[0]) == hash(ours[1])) == (hash(theirs[0]) == hash(theirs[1]))
    assert [repr(each) for each in ours] == [repr(each).replace("Model", "Point") for each in theirs]
    assert replace(ours[0], y=7) == Point(one[0], 7, *one[2:])
    assert copy.deepcopy(ours[0]) == ours[0] == pickle.loads(pickle.dumps(ours[0]))


def test_classes_are_told_apart() -> None:
    assert Point(1) != Model(1)  # type: ignore[comparison-overlap]
    assert Point(1) != Named(1, names=())
    assert Nothing() == Nothing()
    assert hash(Nothing()) == hash(Nothing())
    assert repr(Nothing()) == "Nothing()"
    assert Named(1, names=("a",)) == Named(1, names=("a",)) != Named(1, names=("b",))
    assert [one.name for one in fields(Named)] == ["x", "y", "secret", "note", "names"]


def test_own_methods_stay() -> None:
    @frozen
    class Own:
        x: int

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 5

        def __repr__(self) -> str:
            return "own"

    assert Own(1) == 2
    assert (hash(Own(1)), repr(Own(1))) == (5, "own")


def test_no_attributes_beside_the_fields() -> None:
    with pytest.raises(AttributeError):
        Point(1).z = 2  # type: ignore[attr-defined]
    match Point(1, 2):
        case Point(x, y):
            assert (x, y) == (1, 2)
