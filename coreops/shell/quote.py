"""Quoting for POSIX sh: any text becomes one word that means exactly that text. Knows no step and no segment."""

from __future__ import annotations

import re
from collections.abc import Iterable

from coreops.errors import InputError

_SAFE = re.compile(r"[A-Za-z0-9_@%+=:,./-]+", re.ASCII)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=", re.ASCII)
_GLOB = re.compile(r"[*?]|\[!?[A-Za-z0-9_.-]+\]", re.ASCII)


def q(text: str) -> str:
    """Quote one word. Raises InputError for a NUL, which no argument, variable or path can hold."""
    if "\0" in text:
        raise InputError(
            f"a value for the shell holds a NUL byte: {text[:40]!r}",
            why="a command line, a variable and a file name end at the first NUL",
            next="remove it, or send the bytes as the content of a file",
        )
    if _SAFE.fullmatch(text) and not _ASSIGNMENT.match(text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


def join(words: Iterable[str]) -> str:
    """Quote every word and put blanks between."""
    return " ".join(q(word) for word in words)


def path(text: str) -> str:
    """Quote a path so that no program takes it for an option or for "standard input"."""
    return q(f"./{text}" if text.startswith("-") else text)


def glob(text: str) -> str:
    """Quote a path but leave ``*``, ``?`` and simple ``[...]`` to the shell, as Ansible's ``creates`` does."""
    text = f"./{text}" if text.startswith("-") else text
    out, end = [], 0
    for match in _GLOB.finditer(text):
        out += [q(text[end : match.start()]) if match.start() > end else "", match.group()]
        end = match.end()
    return "".join(out) + (q(text[end:]) if end < len(text) or not text else "")
