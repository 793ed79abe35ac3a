"""What is filled in without Jinja2 is what Jinja2 makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.playbook import plain
from coreops.playbook.jinja import compile_text
from coreops.playbook.vars import HostState, Scope, View

NAMES = ("a", "b1", "_c", "none", "true", "self", "range", "loop", "é")


def scope(**values: Any) -> Scope:
    return Scope(View("n1", HostState(), {}, extra={}, play={}, magic={}), values)


PIECES = st.one_of(
    st.text(alphabet="ab $'\"\\/%#{}\n\r\té", max_size=6),
    st.sampled_from(NAMES).map("{{{{ {} }}}}".format),
    st.sampled_from(NAMES).map("{{{{{}}}}}".format),
)


@given(
    st.lists(PIECES, max_size=5).map("".join),
    st.fixed_dictionaries(
        {"a": st.text(max_size=5), "b1": st.integers() | st.booleans() | st.none(), "_c": st.floats(allow_nan=False)}
    ),
)
def test_as_jinja_does_it(source: str, values: dict[str, Any]) -> None:
    parts = plain.split(source)
    if parts is None:
        return
    there = scope(**values)
    found = plain.fill(parts, there)
    if found is not plain.UNKNOWN and "{{" in source:
        expected = compile_text(source)(there)
        assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    "source", ["{{ a | upper }}", "{{ a.b }}", "{% if a %}", "{{ none }}", "{{ a", "a }} b", "{# #}"]
)
def test_what_needs_jinja(source: str) -> None:
    assert plain.split(source) is None


@pytest.mark.parametrize("value", [None, True, [], {}, ("a",), len])
def test_unusual_values_are_left_to_jinja(value: Any) -> None:
    parts = plain.split("x {{ a }}")
    assert parts is not None
    assert plain.fill(parts, scope(a=value)) is plain.UNKNOWN
    assert plain.fill(parts, scope()) is plain.UNKNOWN
