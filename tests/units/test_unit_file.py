"""Unit files are read as systemd reads them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.model import Position
from coreops.units.unit_file import Option, parse, render

WORD = st.text(st.characters(codec="utf-8", exclude_characters="\0\n\r\\=[];#"), min_size=1).filter(
    lambda text: text == text.strip() and text.strip(" \t\n\r\f\v") == text
)
VALUE = st.text(st.characters(codec="utf-8", exclude_characters="\0\n")).map(lambda text: text.strip(" \t\n\r\f\v"))
OPTION = st.builds(Option, WORD, WORD, VALUE.filter(lambda v: (len(v) - len(v.rstrip("\\"))) % 2 == 0))


def read(text: str) -> list[tuple[str, str, str, int]]:
    return [(o.section, o.name, o.value, o.at.line) for o in parse(text, "a.service").options]


def test_sections_comments_blanks_and_repeated_keys() -> None:
    text = "\ufeff# top\n[Unit]\n  Description = a b \n\n; no\n[Service]\nExecStart=/a = b\nExecStart=/c\r\n[X-Fleet]\n"
    assert read(text) == [
        ("Unit", "Description", "a b", 3),
        ("Service", "ExecStart", "/a = b", 7),
        ("Service", "ExecStart", "/c", 8),
    ]


def test_continued_lines_with_comments_between_keep_the_first_ones_number() -> None:
    text = "[Service]\nExecStart=/bin/run \\\n  --one \\\n# not this\n   --two\nUser=a\n"
    assert read(text) == [("Service", "ExecStart", "/bin/run  --one  --two", 2), ("Service", "User", "a", 6)]
    assert read("[S]\nA=b\\\\\nC=d\\") == [("S", "A", "b\\\\", 2), ("S", "C", "d", 3)]
    assert read("[S]\nA=b \\\n\nC=d") == [("S", "A", "b", 2), ("S", "C", "d", 4)]


def test_an_empty_assignment_forgets_what_came_before() -> None:
    file = parse("[Service]\nExecStart=/a\nExecStart=\nExecStart=/b\n[Unit]\nExecStart=/c\n")
    assert [o.value for o in file.get("Service", "ExecStart")] == ["/b"]
    assert file.last("Service", "User", "root") == "root"
    assert {o.section for o in file.without("Service").options} == {"Unit"}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("A=b", 1, "in no section"),
        ("[Unit]\nnonsense\n", 2, "not an option"),
        ("[Unit\nA=b\n", 1, "not a section"),
        ("[]\n", 1, "not a section"),
        ("[Unit]\n=b\n", 2, "not an option"),
        ("[Unit]\nA=\0\n", 2, "no unit file can hold"),
    ],
)
def test_what_systemd_would_skip_is_an_error_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        parse(text, "x/a.service")
    assert caught.value.where == str(Position("x/a.service", line))


@given(st.lists(OPTION))
def test_what_is_rendered_reads_the_same(options: list[Option]) -> None:
    found = parse(render(options)).options
    assert [(o.section, o.name, o.value) for o in found] == [(o.section, o.name, o.value) for o in options]


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InputError):
        parse(text, "a.service")
