"""fleet's glob patterns (those of Go's ``path.Match``): matching, and patterns for everything but some names. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

_OTHERS = ("automount", "busname", "device", "mount", "scope", "slice", "snapshot", "swap")
TYPES = frozenset({"path", "service", "socket", "target", "timer", *_OTHERS})
_SPECIAL = re.compile(r"([\\*?\[\]-])")


def match(pattern: str, name: str) -> bool:
    """Does the whole name match? A malformed pattern matches nothing, as in fleet."""
    compiled = _compiled(pattern)
    return compiled is not None and compiled.fullmatch(name) is not None


def literal(name: str) -> str:
    """The pattern that matches this name only."""
    return re.sub(r"([\\*?\[])", r"\\\1", name)


def all_but(names: Collection[str], prefixes: Iterable[str] = ()) -> tuple[str, ...]:
    """Patterns that together match every name of a unit, except these and whatever begins with a prefix.

    fleet has no negation, but ``[^x]*`` has: where a name leaves the tree of the kept names, a pattern begins.
    """
    kept = frozenset(names)
    free = tuple(sorted(set(prefixes)))
    stems = {name[:end] for name in (*kept, *free) for end in range(len(name) + 1)}
    stems = {stem for stem in stems if not any(stem.startswith(prefix) for prefix in free)} | {""}
    if "" in free:
        return ()
    patterns = []
    for stem in sorted(stems):
        going_on = sorted(
            {word[len(stem)] for word in (*kept, *free) if len(word) > len(stem) and word.startswith(stem)}
        )
        start = literal(stem)
        # Only what is a unit's name, and never a line that ends in a backslash: unit files go on after that.
        if stem.rpartition(".")[2] in TYPES and stem not in kept:
            patterns.append(start)
        if going_on:
            others = "".join(_SPECIAL.sub(r"\\\1", char) for char in going_on)
            patterns.append(f"{start}[^{others}]*")
        else:
            patterns.append(f"{start}?*")
    return tuple(patterns)


@lru_cache(maxsize=10_000)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(_regex(pattern), re.DOTALL)
    except ValueError:
        return None


def _regex(pattern: str) -> str:
    made, at = [], 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            made.append("[^/]*")
        elif char == "?":
            made.append("[^/]")
        elif char == "\\":
            if at == len(pattern):
                raise ValueError("a pattern ends with a backslash")
            made.append(re.escape(pattern[at]))
            at += 1
        elif char == "[":
            text, at = _class(pattern, at)
            made.append(text)
        else:
            made.append(re.escape(char))
    return "".join(made)


def _class(pattern: str, at: int) -> tuple[str, int]:
    negated = pattern[at : at + 1] == "^"
    at += negated
    ranges, inside = 0, ""
    while True:
        if pattern[at : at + 1] == "]" and ranges:
            if not inside:
                return ("." if negated else "(?!)"), at + 1
            return (f"[^{inside}]" if negated else f"[{inside}]"), at + 1
        low, at = _char(pattern, at)
        high = low
        if pattern[at : at + 1] == "-":
            high, at = _char(pattern, at + 1)
        ranges += 1
        if low <= high:  # else it is a range that nothing is in
            inside += f"{re.escape(low)}-{re.escape(high)}"


def _char(pattern: str, at: int) -> tuple[str, int]:
    char = pattern[at : at + 1]
    if not char or char in "-]":
        raise ValueError("malformed class")
    if char == "\\":
        at += 1
        char = pattern[at : at + 1]
        if not char:
            raise ValueError("malformed class")
    return char, at + 1
