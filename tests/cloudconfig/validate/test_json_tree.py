"""JSON is read as Python's own reader reads it, with places; what that refuses is refused, with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.cloudconfig.validate.json_tree import parse_json
from coreops.cloudconfig.validate.tree import Value
from coreops.errors import InputError

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda each: st.lists(each) | st.dictionaries(st.text(), each), max_leaves=20)


def plain(value: Value) -> Any:
    if value.kind == "mapping":
        return {entry.name: plain(entry.value) for entry in value.entries}
    if value.kind == "list":
        return [plain(item) for item in value.items]
    return value.text if value.kind == "text" else json.loads(value.text)


@given(VALUES, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_values_survive(value: Any, indent: int | str | None, ascii: bool) -> None:
    found = parse_json(json.dumps(value, indent=indent, ensure_ascii=ascii), "f")
    assert found is not None
    assert plain(found) == value


@given(st.text('{}[]",:\\u01eE+-. \n\ttruefalsnx', max_size=30))
def test_any_text_is_read_as_python_reads_it_or_refused(text: str) -> None:
    try:
        wanted = json.loads(text)
    except ValueError:
        if text.strip(" \t\r\n"):
            with pytest.raises(InputError) as caught:
                parse_json(text, "f")
            assert str(caught.value.where).count(":") == 2
        return
    found = parse_json(text, "f")
    assert found is not None
    assert plain(found) == wanted or "ud" in text.lower()


def test_places() -> None:
    found = parse_json('{"a": 1,\n "b": [true,\n\n  "é", {"c": null}]}', "f")
    assert found is not None
    b = found.get("b")
    assert b is not None
    assert [str(item.at) for item in b.items] == ["f:2:8", "f:4:3", "f:4:8"]
    assert [str(entry.at) for entry in found.entries] == ["f:1:2", "f:2:2"]
    assert str(b.items[2].entries[0].value.at) == "f:4:14"


def test_lone_surrogates_become_what_go_makes_of_them() -> None:
    found = parse_json(r'["\ud83d\ude00", "\ud83d"]', "f")
    assert found is not None
    assert [item.text for item in found.items] == ["😀", "\ufffd"]


def test_nothing_is_none() -> None:
    assert parse_json(" \n", "f") is None
