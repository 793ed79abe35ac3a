"""Words of a host line are those of shlex, with their places."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coreops.inventory.words import UnbalancedQuote, words


@given(st.text("ab= \t'\"\\#$x", max_size=14))
@example("a#b 'c'")
@example("'' \"\"")
@example('"a\\b\\"c\\\\"')
def test_same_words_as_shlex(line: str) -> None:
    try:
        expected = shlex.split(line, comments=True)
    except ValueError:
        with pytest.raises(UnbalancedQuote):
            words(line)
        return
    assert [word for word, _ in words(line)] == expected


@given(st.lists(st.text(min_size=1, max_size=8).filter(lambda t: "\r" not in t and "\n" not in t), max_size=5))
def test_quoted_values_come_back_and_places_point_at_them(values: list[str]) -> None:
    line = "  ".join(map(shlex.quote, values))
    found = words(line)
    assert [word for word, _ in found] == values
    for _, index in found:
        assert index == 0 or line[index - 1] == " "
