"""Command lines as systemd reads them in ``ExecStart=`` and its like. Pure.

Quotes, escapes, the signs before a path, several commands between lone semicolons. Specifiers and variables are filled
in by ``fill``, as far as they are known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from coreops.errors import InputError
from coreops.model import Position
from coreops.units.names import Name
from coreops.units.unit_file import Option, UnitFile

_SIGNS = "@-:+!|"
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "s": " ", "t": "\t", "v": "\v"}
_HEX = re.compile(r"x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([0-7]{3})")
_VARIABLE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|^\$([A-Za-z_][A-Za-z0-9_]*)$")
_SPECIFIER = re.compile(r"%(.)")


@dataclass(frozen=True, slots=True)
class Command:
    """One command. signs: ``-`` and the others that stood before it. at: of the option."""

    words: tuple[str, ...]
    signs: str
    at: Position

    @property
    def program(self) -> str:
        """The last part of the path."""
        return self.words[0].rpartition("/")[2]


def commands(file: UnitFile, name: str) -> tuple[Command, ...]:
    """All commands of ``ExecStart`` or another such key. Raises InputError."""
    return tuple(command for option in file.get("Service", name) for command in read(option))


def read(option: Option) -> tuple[Command, ...]:
    """The commands of one option. Raises InputError."""
    found: list[Command] = []
    words: list[str] = []
    for word, quoted in [*_words(option), (";", False)]:
        if word == ";" and not quoted:
            if words:
                signs = words[0][: len(words[0]) - len(words[0].lstrip(_SIGNS))]
                found.append(Command((words[0].lstrip(_SIGNS), *words[1:]), signs, option.at))
            words = []
        else:
            words.append(";" if word == "\\;" and not quoted else word)
    return tuple(command for command in found if command.words[0])


def environment(file: UnitFile) -> dict[str, str]:
    """What ``Environment=`` sets."""
    found = {}
    for option in file.get("Service", "Environment"):
        for word, _ in _words(option):
            key, equals, value = word.partition("=")
            if equals:
                found[key] = value
    return found


def fill(text: str, name: Name, variables: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Fill in specifiers and variables; what is not known stays, and is told."""
    unknown: list[str] = []
    known = {"n": name.full, "N": name.short, "p": name.prefix, "i": name.instance, "%": "%"}

    def specifier(match: re.Match[str]) -> str:
        if match[1] not in known:
            unknown.append(match[0])
        return known.get(match[1], match[0])

    def variable(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        key = match[1] or match[2]
        if key not in variables:
            unknown.append(match[0])
        return variables.get(key, match[0])

    return _VARIABLE.sub(variable, _SPECIFIER.sub(specifier, text)), tuple(unknown)


def split(text: str, at: Position) -> list[str]:
    """A line for ``sh -c``, as far as quotes go. Raises InputError."""
    import shlex

    try:
        return shlex.split(text)
    except ValueError as error:
        raise InputError("cannot read this shell command", where=at, why=str(error)) from error


def _words(option: Option) -> list[tuple[str, bool]]:
    """Each word, and whether any of it was quoted."""
    found: list[tuple[str, bool]] = []
    word, quote, any_quote, inside = "", "", False, False
    text, i = option.value, 0
    while i < len(text):
        letter = text[i]
        i += 1
        if letter == "\\" and i < len(text):
            escaped = _HEX.match(text, i)
            if escaped:
                number = next(group for group in escaped.groups() if group)
                word += chr(int(number, 8 if escaped[4] else 16) % 0x110000)
                i = escaped.end()
            elif text[i] == ";" and not inside:
                word += "\\;"
                i += 1
            else:
                word += _ESCAPES.get(text[i], text[i])
                i += 1
            inside = True
        elif quote:
            if letter == quote:
                quote = ""
            else:
                word += letter
        elif letter in "\"'" and not inside:
            quote, any_quote, inside = letter, True, True
        elif letter in " \t":
            if inside:
                found.append((word, any_quote))
            word, any_quote, inside = "", False, False
        else:
            word += letter
            inside = True
    if quote:
        raise InputError(f"a {quote} is not closed", where=option.at, why=f"in {option.name}=")
    return [*found, (word, any_quote)] if inside else found
