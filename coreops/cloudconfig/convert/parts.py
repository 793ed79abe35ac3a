"""Small changes to marked trees, which stay where they were written. Knows no key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from coreops.cloudconfig.marked import Marked, mark


def below(tree: Marked, *path: str) -> Marked | None:
    """The value at a path of keys."""
    here: Marked | None = tree
    for name in path:
        here = here.value.get(name) if here is not None and isinstance(here.value, dict) else None
    return here


def items(tree: Marked, *path: str) -> tuple[Marked, ...]:
    """The items of the list at a path of keys."""
    found = below(tree, *path)
    return found.value if found is not None and isinstance(found.value, tuple) else ()


def text(tree: Marked, *path: str) -> str:
    """The text at a path of keys, else an empty one."""
    found = below(tree, *path)
    return str(found.value) if found is not None else ""


def put(tree: Marked, key: str, value: Any) -> Marked:
    """The mapping with a key set, at the place of the old one. None: without it."""
    parts = dict(tree.value)
    old = parts.pop(key, None) if value is None else parts.get(key)
    if value is None:
        return replace(tree, value=parts)
    at = old.place if old is not None else tree.place
    found = value if isinstance(value, Marked) else mark(value, at)
    parts[key] = replace(found, key=found.key or (old.key if old is not None else tree.key))
    return replace(tree, value=parts)


def put_below(tree: Marked, path: tuple[str, ...], value: Any) -> Marked:
    """The mapping with the value at a path of keys set; mappings on the way are made."""
    if len(path) == 1:
        return put(tree, path[0], value)
    inner = below(tree, path[0]) or Marked({}, tree.place)
    return put(tree, path[0], put_below(inner, path[1:], value))


def merged(tree: Marked, more: Mapping[str, Marked]) -> Marked:
    """The mapping with the keys of another laid over it."""
    return replace(tree, value={**tree.value, **more})
