"""Command lines are read as systemd reads them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.model import Position
from coreops.units import command_line, names
from coreops.units.unit_file import Option, parse


def words(value: str) -> list[tuple[str, ...]]:
    option = Option("Service", "ExecStart", value, Position("a.service", 3))
    return [command.words for command in command_line.read(option)]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("/bin/a b  c", [("/bin/a", "b", "c")]),
        ('/bin/a "b c" \'d "e\'', [("/bin/a", "b c", 'd "e')]),
        (r"/bin/a b\x20c \\ \101\s.", [("/bin/a", "b c", "\\", "A .")]),
        ("/bin/a ; /bin/b c", [("/bin/a",), ("/bin/b", "c")]),
        (r"/bin/a \; b ';'", [("/bin/a", ";", "b", ";")]),
        ('/bin/a ""', [("/bin/a", "")]),
        ("/bin/a it's", [("/bin/a", "it's")]),
        ("", []),
    ],
)
def test_words(value: str, found: list[tuple[str, ...]]) -> None:
    assert words(value) == found


def test_signs() -> None:
    (command,) = command_line.commands(parse("[Service]\nExecStart=-+/bin/a b\n"), "ExecStart")
    assert (command.signs, command.words, command.program, command.at.line) == ("-+", ("/bin/a", "b"), "a", 2)


def test_a_quote_that_is_not_closed() -> None:
    with pytest.raises(InputError, match="not closed") as caught:
        words('/bin/a "b')
    assert caught.value.where == "a.service:3"


def test_specifiers_and_variables() -> None:
    file = parse('[Service]\nEnvironment=A=1 "B=2 3"\nEnvironment=\nEnvironment="A=x y"\n')
    known = command_line.environment(file)
    assert known == {"A": "x y"}
    name = names.read("web@7.service")
    assert command_line.fill("%p-%i ${A} 100%% $$A $A", name, known) == ("web-7 x y 100% $A $A", ())
    assert command_line.fill("$A", name, known) == ("x y", ())
    assert command_line.fill("%H ${C}", name, known) == ("%H ${C}", ("%H", "${C}"))


@given(st.text())
def test_any_line_is_read_or_refused(value: str) -> None:
    with contextlib.suppress(InputError):
        words(value.replace("\n", " "))
