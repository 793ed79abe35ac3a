"""What a task writes becomes a value of one type; beside pydantic's lax mode where both have an opinion."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from coreops.modules import readers
from coreops.modules.declared import Reader

WRITTEN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        ["yes", "No", "ON", "off", "1", "0", "t", "F", "true", "False", " 7 ", "-3", "+4", "5.0", "1e3", "٣"]
    )
    | st.lists(st.integers(), max_size=2)
)


def _said(kind: type, value: object) -> Any:
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return None


def _read(reader: Reader[Any], value: object) -> Any:
    try:
        return reader.read(value)
    except ValueError:
        return None


@given(WRITTEN)
def test_boolean(value: object) -> None:
    assert _read(readers.boolean, value) is _said(bool, value)


@given(WRITTEN.filter(lambda value: not isinstance(value, bool)))
def test_integer(value: object) -> None:
    found = _read(readers.integer(), value)
    if isinstance(value, float) and abs(value) >= 2**62:
        return  # no number of seconds or bytes: pydantic stops somewhere there
    # pydantic also takes digits of all scripts and underscores in between.
    assert found == _said(int, value) or (found is None and isinstance(value, str))
    assert found is None or type(found) is int


@given(st.integers(-5, 15))
def test_integer_within_bounds(value: int) -> None:
    assert _read(readers.integer(at_least=0, at_most=10), value) == (value if 0 <= value <= 10 else None)


@given(WRITTEN.filter(lambda value: not isinstance(value, bool)))
def test_number(value: object) -> None:
    said = _said(float, value)
    finite = said if said is not None and abs(said) < float("inf") else None
    found = _read(readers.number(), value)
    assert found == finite or (isinstance(value, str) and finite is None)
    assert found is None or type(found) is float


@pytest.mark.parametrize("value", [True, False, "yes", None, [1], "inf", "nan"])
def test_no_number(value: object) -> None:
    for reader in (readers.number(), readers.integer()):
        with pytest.raises(ValueError, match="must be a "):
            reader.read(value)
    with pytest.raises(ValueError, match="greater than 0"):
        readers.number(above=0).read(0)


@given(st.integers() | st.floats())
def test_a_number_is_a_text(value: float) -> None:
    assert readers.text.read(value) == str(value)


@given(st.text())
def test_text(value: str) -> None:
    assert readers.plain_text.read(value) == value
    if "\0" in value:
        with pytest.raises(ValueError, match="NUL byte"):
            readers.text.read(value)
    else:
        assert readers.text.read(value) == value


@pytest.mark.parametrize("value", [True, None, [], {}, b"x", "\udc80"])
def test_no_text(value: object) -> None:
    for reader in (readers.text, readers.plain_text, readers.name, readers.node_path):
        with pytest.raises(ValueError, match="must be a text"):
            reader.read(value)


def test_choice() -> None:
    reader = readers.choice("present", "absent")
    assert reader.read("absent") == "absent"
    assert reader.kind == "`present`, `absent`"
    for value in ("latest", True, None, ["present"]):
        with pytest.raises(ValueError, match="must be one of 'present', 'absent'"):
            reader.read(value)


@pytest.mark.parametrize(
    ("value", "found"),
    [("a, b,,c", ("a", "b", "c")), (5, ("5",)), (["x", 1], ("x", "1")), ([], ()), ("", ()), (("y",), ("y",))],
)
def test_words(value: object, found: tuple[str, ...]) -> None:
    assert readers.words.read(value) == found


@pytest.mark.parametrize("value", [None, True, {"a": "b"}, [None]])
def test_no_words(value: object) -> None:
    with pytest.raises(ValueError, match="must be a "):
        readers.words.read(value)


def test_mapping() -> None:
    assert readers.mapping.read({"a": 1, 2: "b"}) == {"a": "1", "2": "b"}
    with pytest.raises(ValueError, match="must be a mapping"):
        readers.mapping.read("a: b")


@given(WRITTEN)
def test_no_message_repeats_a_value_that_may_be_a_secret(value: object) -> None:
    for reader in (readers.boolean, readers.integer(), readers.number(), readers.choice("x"), readers.mapping):
        message = _mistake(reader, value)
        assert not isinstance(value, str) or len(value) < 3 or value not in message


def _mistake(reader: Reader[Any], value: object) -> str:
    try:
        reader.read(value)
    except ValueError as error:
        return str(error)
    return ""
