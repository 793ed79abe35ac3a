"""YAML values are those of PyYAML's safe loader; what it would swallow is an error with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.inventory.yaml_nodes import DEEPEST, Builder, compose
from coreops.model import Position

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.dates()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


def read(text: str) -> Any:
    root = compose(text, "f")
    return None if root is None else Builder("f").value(root)


@given(VALUES, st.booleans())
def test_values_survive(value: Any, flow: bool) -> None:
    assert read(yaml.safe_dump(value, default_flow_style=flow)) == value


@given(st.text("ab:-[]{},&*!|>'\"%@`#? \n\t01.~<", max_size=30))
def test_any_text_gives_pyyaml_s_value_or_an_error_with_its_place(text: str) -> None:
    try:
        ours = read(text)
    except InputError as error:
        where = str(error.where)
    else:
        where = "f:"
        assert ours == yaml.load(text, Loader=yaml.CSafeLoader)
    assert where.startswith("f:")


@given(st.text(max_size=30))
def test_hostile_text_never_ends_in_a_traceback(text: str) -> None:
    try:
        read(text)
    except InputError:
        return


def test_places_count_from_one() -> None:
    root = compose("a:\n  b: [1, {c: 2}]\n", "f")
    assert isinstance(root, yaml.MappingNode)
    build = Builder("f")
    (a,) = build.entries(root)
    assert isinstance(a.value, yaml.MappingNode)
    (b,) = build.entries(a.value)
    assert (build.at(a.key_node), build.at(b.value)) == (Position("f", 1, 1), Position("f", 2, 6))


def test_merge_keys_are_weaker_than_own_keys() -> None:
    text = "base: &b {x: 1, y: 1}\nmore: &m {y: 2, z: 2}\none: {<<: [*m, *b], z: 3}\n"
    assert read(text)["one"] == yaml.safe_load(text)["one"] == {"x": 1, "y": 2, "z": 3}


def test_aliases_do_not_multiply() -> None:
    rows = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    assert len(read("\n".join(rows))["a39"]) == 9
    rows = ["a0: &a0 {x: 1}"] + [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 40)]
    assert read("\n".join(rows))["a39"] == {"x": 1}


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{a: " * 50_000, "- " * 50_000, "? " * 50_000, "[[" * 400 + "]]" * 400]
)
def test_deep_nesting_is_refused_before_it_crashes_the_composer(text: str) -> None:
    with pytest.raises(InputError, match=f"nested deeper than {DEEPEST} levels|not valid YAML"):
        read(text)


def test_brackets_in_text_are_not_depth() -> None:
    assert read("a: '" + "[" * 500 + "'") == {"a": "[" * 500}


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "f:3:1", "duplicate key 'a'\n  why: the first one is at f:1:1"),
        ("a: {b: 1, b: 1}", "f:1:11", "duplicate key 'b'"),
        ("1: a\n1.0: b", "f:2:1", "duplicate key 1.0"),
        ("a:\n\t- b", "f:2:1", "indent with spaces"),
        ("a: [1", "f:1:4", "not valid YAML"),
        ("a: 'b", "f:1:4", "not valid YAML"),
        ("a: b: c", "f:1:5", "mapping values are not allowed"),
        ("a: %x", "f:1:4", "cannot start any token"),
        ("a: {{ x }}", "f:1:5", 'quote a value that begins with {{: "{{ name }}"'),
        ("a: {{ x }}/y", "f:1:11", 'quote a value that begins with {{: "{{ name }}"'),
        ("a: {n[1:2]: }", "f:1:6", "quote a range inside { }: 'n[1:3]'"),
        ("a: *b", "f:1:4", "undefined alias"),
        ("a: &b [*b]", "f:1:4", "an alias contains itself"),
        ("a: &b {<<: *b}", "f:1:4", "an alias contains itself"),
        ("a: 1\n---\nb: 2", "f:2:1", "keep one document"),
        ("a: !vault |\n  $ANSIBLE_VAULT;1.1", "f:1:4", "the tag !vault is not supported\n  next: decrypt it"),
        ("a: !!python/name:os.system x", "f:1:4", "the tag !!python/name:os.system is not supported"),
        ("a: !mine [1]", "f:1:4", "the tag !mine is not supported"),
        ("a: !!set {x}", "f:1:4", "the tag !!set is not supported"),
        ("a: !!int x", "f:1:4", "'x' is not a value"),
        ("a: 2024-13-01", "f:1:4", "'2024-13-01' is not a value\n  why: month must be in 1..12"),
        ("a: !!binary 'é'", "f:1:4", "is not a value"),
        ("[a]: b", "f:1:1", "a mapping or list cannot be a key"),
        ("<<: 1", "f:1:5", "<< needs a mapping"),
        ("a: 'x\x07'", "f:1:6", "the character U+0007 is not allowed in YAML"),
        ("ok: 1\nb: \ufffe", "f:2:4", "the character U+FFFE"),
    ],
)
def test_errors_say_where(text: str, where: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(text)
    assert caught.value.where == where
    assert message in str(caught.value)


def test_json_is_yaml() -> None:
    value = {"a": [1, None, True, '\u00e9\n\t"'], "b": {"c": 1.5}}
    assert read(json.dumps(value)) == read(json.dumps(value, indent=1)) == value


def test_nothing_is_none() -> None:
    assert compose("", "f") is None
    assert compose("# only a comment\n", "f") is None
    assert read("---\n") is None
