"""Words of a host line, split as a shell would (quotes, backslash, ``#`` comment), with the place of each.

The same words as ``shlex.split(line, comments=True)``, which cannot say where they stood.
"""

from __future__ import annotations

import re

_SIMPLE = re.compile(r"[^ \t\r\n]+")
_SPECIAL = re.compile(r"[\"'\\#]")


class UnbalancedQuote(ValueError):
    """A quote is not closed, or the line ends in a backslash. ``index``: where it began, from 0."""

    def __init__(self, index: int) -> None:
        super().__init__(f"unbalanced quote at {index}")
        self.index = index


def words(line: str) -> list[tuple[str, int]]:
    """Return (word, index) pairs."""
    if not _SPECIAL.search(line):
        return [(match[0], match.start()) for match in _SIMPLE.finditer(line)]
    found: list[tuple[str, int]] = []
    word: list[str] | None = None
    begin = index = 0
    while index < len(line):
        char = line[index]
        if char in " \t\r\n" or char == "#":
            if word is not None:
                found.append(("".join(word), begin))
                word = None
            if char == "#":
                end = line.find("\n", index)
                index = len(line) if end < 0 else end
                continue
            index += 1
            continue
        if word is None:
            word, begin = [], index
        text, index = _piece(line, index)
        word.append(text)
    if word is not None:
        found.append(("".join(word), begin))
    return found


def _piece(line: str, index: int) -> tuple[str, int]:
    """Return the text that starts at ``index`` (a character, an escape, or a quoted part) and the index after it."""
    char = line[index]
    if char == "\\":
        if index + 1 == len(line):
            raise UnbalancedQuote(index)
        return line[index + 1], index + 2
    if char == "'":
        end = line.find("'", index + 1)
        if end < 0:
            raise UnbalancedQuote(index)
        return line[index + 1 : end], end + 1
    if char == '"':
        return _double_quoted(line, index)
    return char, index + 1


def _double_quoted(line: str, start: int) -> tuple[str, int]:
    text: list[str] = []
    index = start + 1
    while index < len(line):
        char = line[index]
        if char == '"':
            return "".join(text), index + 1
        if char == "\\" and line[index + 1 : index + 2] in ("\\", '"'):
            char = line[index + 1]
            index += 1
        text.append(char)
        index += 1
    raise UnbalancedQuote(start)
