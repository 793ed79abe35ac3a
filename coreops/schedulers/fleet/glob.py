"""fleet's glob patterns (those of Go's ``path.Match``): matching, and patterns for everything but some names. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from coreops.units import glob

_OTHERS = ("automount", "busname", "device", "mount", "scope", "slice", "snapshot", "swap")
TYPES = frozenset({"path", "service", "socket", "target", "timer", *_OTHERS})
_SPECIAL = re.compile(r"([\\*?\[\]-])")


def match(pattern: str, name: str) -> bool:
    """Does the whole name match? A malformed pattern matches nothing, as in fleet."""
    try:
        return glob.matches(pattern, name)
    except ValueError:
        return False


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
