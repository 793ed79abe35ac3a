"""Patterns as Go's ``path.Match`` reads them, which is what fleet does. Pure.

``*`` any run of characters, ``?`` one, ``[a-z]`` and ``[^a-z]`` classes, backslash escapes; neither ``*`` nor ``?``
crosses a slash.
"""

from __future__ import annotations

import re
from functools import lru_cache

_META = re.compile(r"[*?\[\\]")


@lru_cache(maxsize=65536)
def compiled(pattern: str) -> re.Pattern[str]:
    """Raises ValueError for a pattern that Go would not take."""
    parts, i = [""], 0
    while i < len(pattern):
        letter = pattern[i]
        i += 1
        if letter == "*":
            if parts[-1] or len(parts) == 1:
                parts.append("")
        elif letter == "?":
            parts[-1] += "[^/]"
        elif letter == "[":
            text, i = _class(pattern, i)
            parts[-1] += text
        elif letter == "\\":
            if i == len(pattern):
                raise ValueError("it ends in a backslash")
            parts[-1] += re.escape(pattern[i])
            i += 1
        else:
            parts[-1] += re.escape(letter)
    # What comes between two stars is taken where it is found first, and for good (?>...): it need not be tried again
    # further on, which with many stars would take for ever.
    first, *middle = parts
    last = middle.pop() if middle else None
    found = first + "".join(f"(?>[^/]*?{part})" for part in middle)
    return re.compile(found + ("" if last is None else f"[^/]*{last}"), re.DOTALL)


def matches(pattern: str, name: str) -> bool:
    """Does the whole name fit? Raises ValueError."""
    return compiled(pattern).fullmatch(name) is not None


def literal(pattern: str) -> str:
    """What every name that fits begins with."""
    found = _META.search(pattern)
    return pattern[: found.start()] if found else pattern


def _class(pattern: str, i: int) -> tuple[str, int]:
    """Read a class from behind its bracket."""
    negated = pattern[i : i + 1] == "^"
    i += negated
    ranges: list[str] = []
    while True:
        if i >= len(pattern):
            raise ValueError("a [ is not closed")
        if pattern[i] == "]" and ranges:
            inside = "".join(ranges)
            if not inside:  # [z-a] is no character
                return ("." if negated else "(?!)"), i + 1
            return f"[{'^' if negated else ''}{inside}]", i + 1
        low, i = _letter(pattern, i)
        high = low
        if pattern[i : i + 1] == "-":
            high, i = _letter(pattern, i + 1)
        ranges.append(f"{re.escape(low)}-{re.escape(high)}" if low <= high else "")
    raise AssertionError


def _letter(pattern: str, i: int) -> tuple[str, int]:
    if i < len(pattern) and pattern[i] == "\\":
        i += 1
    elif i < len(pattern) and pattern[i] in "-]":
        raise ValueError(f"{pattern[i]!r} in a [...] must be escaped")
    if i >= len(pattern):
        raise ValueError("a [ is not closed")
    return pattern[i], i + 1
