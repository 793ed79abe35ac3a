"""Nothing that a node says can steer a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import counted
from coreops.report.text import clean, name_list, one_line, seconds

ANY_TEXT = st.text(st.characters(codec=None), max_size=60)


@pytest.mark.parametrize(
    ("given_", "shown"),
    [
        ("plain ünï 漢字", "plain ünï 漢字"),
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb\rc", "a\nb\\x0dc"),
        ("\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("abc\u202ecba", "abc\\u202ecba"),
        ("[bold]x[/bold]", "[bold]x[/bold]"),
        (b"\xff\xfe ok", "\\xff\\xfe ok"),
        ("\udcff", "\\xff"),
        ("\ud800", "\\ud800"),
        ("a\0b", "a\\x00b"),
        (7, "7"),
    ],
)
def test_clean(given_: object, shown: str) -> None:
    assert clean(given_) == shown


@given(ANY_TEXT)
def test_clean_leaves_no_control_and_is_stable(text: str) -> None:
    shown = clean(text)
    assert not [char for char in shown if unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t"]
    assert clean(shown) == shown
    shown.encode()


@given(st.binary(max_size=60))
def test_clean_takes_any_bytes(data: bytes) -> None:
    clean(data).encode()


@given(ANY_TEXT, st.integers(1, 20))
def test_one_line_is_one_line(text: str, width: int) -> None:
    line = one_line(text, width)
    assert len(line) <= width
    assert len(line.splitlines()) <= 1


def test_words() -> None:
    assert (counted(1, "host"), counted(0, "host"), counted(7, "host")) == ("1 host", "0 hosts", "7 hosts")
    assert name_list(["n1"]) == "n1"
    assert name_list(["n1", "n2", "n3", "n4", "n5"]) == "n1, n2, n3, +2"
    assert [seconds(value) for value in (0.04, 9.94, 42.4, 185, 3599.9)] == [
        "0.0 s",
        "9.9 s",
        "42 s",
        "3 min 05 s",
        "60 min 00 s",
    ]
