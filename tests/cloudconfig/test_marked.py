"""Values know their places; templates are values, not text; what is laid over wins."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.cloudconfig.marked import Marked, fill, mark, merge, parse
from coreops.errors import InputError
from coreops.model import Position

HERE = Position("x", 1, 1)
OMIT = object()


def test_every_value_has_its_place() -> None:
    found = parse("a:\n  - b: 1\n    c: two\n", "f.yml")
    assert found.plain == {"a": ({"b": 1, "c": "two"},)}
    assert found.at(("a", 0, "c")) == Position("f.yml", 3, 8)
    assert found.at(("a", 0, "c"), key=True) == Position("f.yml", 3, 5)
    assert found.at(("a", 0, "none")) == Position("f.yml", 2, 5)


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("a: 1\na: 2", "f:2:1", "duplicate key 'a'"),
        ("a: {{ b }}", "f:1:5", "a key must be a plain word"),
        ("a: [", "f:", "not valid YAML"),
        ("&a [*a]", "f:1:1", "contains itself"),
        ("a: !x 1", "f:1:4", "the tag !x is not supported"),
        ("[" * 60, "f:1", "nested deeper"),
        ("<<: {a: 1}", "f:1:1", "a key must be a plain word"),
        ("a: \x00", "f:1:4", "the character U+0000 is not allowed"),
        ("a: 1\n---\nb: 2", "f:2:1", "not valid YAML"),
    ],
)
def test_bad_documents(text: str, where: str, what: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text, "f")
    assert (caught.value.where or "").startswith(where)
    assert what in caught.value.what


def test_a_bomb_is_no_bomb() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(InputError, match="holds more than"):
        parse("\n".join(lines), "f")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(InputError):
        parse(text, "f")


def rendered(value: Any, place: Position) -> Any:
    return {"{{ off }}": "off", "{{ omit }}": OMIT, "{{ list }}": ["1: 2", "- x"], "{{ map }}": {"k": 1}}[value]


def test_values_of_templates_are_values() -> None:
    text = 'a: "{{ off }}"\nb: "{{ omit }}"\nc: ["{{ list }}", "{{ omit }}", x]\nd: "{{ map }}"\n'
    found = fill(parse(text, "f"), rendered, OMIT)
    assert found is not None
    assert found.plain == {"a": "off", "c": ("1: 2", "- x", "x"), "d": {"k": 1}}
    assert found.at(("c", 1)) == Position("f", 3, 5)


def test_merging() -> None:
    base = parse("h: a\nfiles: [{path: /a, content: x}, {path: /b}]\nkeys: [k1]\nc: {x-y: 1, z: 2}", "f")
    over = parse("h: b\nfiles: [{path: /a, owner: o}, {path: /c}]\nkeys: [k1, k2]\nc: {x_y: 3}", "g")
    found = merge(base, over)
    assert found.plain == {
        "h": "b",
        "files": ({"path": "/a", "content": "x", "owner": "o"}, {"path": "/b"}, {"path": "/c"}),
        "keys": ("k1", "k2"),
        "c": {"x-y": 3, "z": 2},
    }
    assert found.at(("h",)) == Position("g", 1, 4)
    assert found.at(("files", 0, "content")) == Position("f", 2, 29)


@pytest.mark.slow
@given(st.recursive(st.text() | st.integers(), lambda each: st.dictionaries(st.text(), each) | st.lists(each)))
def test_nothing_over_nothing(value: Any) -> None:
    marked = mark(value, HERE)
    assert isinstance(marked, Marked)
    assert fill(marked, lambda each, place: each, OMIT) == marked
