"""Arguments are declared in a class, and read from what a task says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from coreops.modules import readers
from coreops.modules.declared import Arguments, Mistake, argument


class Base(Arguments):
    name = argument(readers.text, aliases=("title",), description="A name.")
    size = argument(readers.integer(at_least=1), None, description="A size.")


class Thing(Base):
    validate = argument(readers.words, (), name="check", description="Words.")

    @classmethod
    def prepare(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        if raw.get("size") == "whatever":
            raise ValueError("size is anything")
        return {**raw, "size": 7} if raw.get("size") == "lucky" else raw

    def check(self) -> None:
        if self.size == 13:
            raise ValueError("13 is unlucky")


class Open(Base):
    takes_more = True


def test_what_is_declared() -> None:
    assert list(Thing.declared) == ["name", "size", "validate"]
    assert Thing.declared["name"].names == ("name", "title")
    assert Thing.declared["name"].required
    assert Thing.declared["validate"].names == ("check",)
    assert not Thing.declared["size"].required
    assert set(Thing.names()) == {"name", "title", "size", "check"}


def test_values_and_defaults() -> None:
    thing = Thing.of({"title": "x", "check": "a,b"})
    assert (thing.name, thing.size, thing.validate) == ("x", None, ("a", "b"))
    assert thing.given == {"name", "validate"}
    assert Thing.of({"name": "x", "size": None}).size is None
    assert Thing.of({"name": "x", "size": "lucky"}).size == 7


def test_further_names() -> None:
    assert Open.of({"name": "x", "more_of_it": 5}).more == {"more_of_it": 5}
    assert Thing.of({"name": "x"}).more == {}


@pytest.mark.parametrize(
    ("raw", "name", "message"),
    [
        ({"name": "x", "nmae": "y"}, "nmae", "unknown"),
        ({"size": 3}, "name", "missing"),
        ({"name": None}, "name", "must be a text"),
        ({"name": "x", "size": 0}, "size", "at least 1"),
        ({"name": "x", "check": None}, "check", "must be a list"),
        ({"name": "x", "title": "y"}, "title", "the same as name"),
        ({"name": "x", "size": 13}, "", "unlucky"),
        ({"name": "x", "size": "whatever"}, "", "size is anything"),
    ],
)
def test_mistakes(raw: dict[str, Any], name: str, message: str) -> None:
    with pytest.raises(Mistake, match=message) as caught:
        Thing.of(raw)
    assert caught.value.name == name


def test_what_is_known_later_is_no_mistake_now() -> None:
    assert not Thing.mistakes({}, later=["title"])
    assert not Thing.mistakes({"name": "x"}, later=["size", "check"])
    assert [one.name for one in Thing.mistakes({}, later=["size"])] == ["name"]
    assert [one.name for one in Thing.mistakes({"size": 0}, later=["title", "nmae"])] == ["size", "nmae"]
    assert not Open.mistakes({"name": "x"}, later=["anything"])


def test_arguments_do_not_change() -> None:
    thing = Thing.of({"name": "x"})
    with pytest.raises(AttributeError, match="do not change"):
        thing.name = "y"
    other = thing.replace(name="y")
    assert (thing.name, other.name, other.given) == ("x", "y", thing.given)
