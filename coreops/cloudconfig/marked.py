"""YAML whose every value knows its place, and what is done to it before it is a Node: templated and merged.

Knows no key of the model. Does no I/O: the caller reads files and gives the function that renders templates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode

from coreops.errors import InputError
from coreops.model import Position
from coreops.yaml_marks import TAG, Walk, compose

DEEPEST = 50
MOST = 100_000
"""Values that a document may hold, aliases followed: a bomb has more."""
_IDENTITY = ("path", "name", "device", "label")
_DATE = TAG + "timestamp"


@dataclass(frozen=True, slots=True)
class Marked:
    """A value with its place: a dict of Marked, a tuple of Marked, or a scalar. key: where its key is written."""

    value: Any
    place: Position
    key: Position | None = None

    @property
    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {name: each.plain for name, each in self.value.items()}
        if isinstance(self.value, tuple):
            return tuple(each.plain for each in self.value)
        return self.value

    def at(self, path: Sequence[int | str], *, key: bool = False) -> Position:
        """Where the value at ``path`` is written, or the nearest value around it. ``-`` and ``_`` are alike."""
        here = self
        for step in path:
            below = _below(here, step)
            if below is None:
                return here.place
            here = below
        return here.key if key and here.key else here.place


def _below(here: Marked, step: int | str) -> Marked | None:
    if isinstance(here.value, dict):
        return next((each for name, each in here.value.items() if str(name).replace("-", "_") == step), None)
    if isinstance(here.value, tuple) and isinstance(step, int) and step < len(here.value):
        return here.value[step]  # type: ignore[no-any-return]
    return None


def mark(value: Any, place: Position) -> Marked:
    """Mark a plain value: all of it is at one place."""
    if isinstance(value, Mapping):
        return Marked({key: mark(each, place) for key, each in value.items()}, place, place)
    if isinstance(value, list | tuple):
        return Marked(tuple(mark(each, place) for each in value), place)
    return Marked(value, place)


def parse(text: str, file: str) -> Marked:
    """Parse one YAML document. Raises InputError with line and column."""
    node = compose(text, file, DEEPEST)
    return Marked({}, Position(file)) if node is None else _Builder(file, MOST).build(node)


class _Builder(Walk):
    def build(self, node: Node, key: Position | None = None) -> Marked:
        self.count(node)
        if isinstance(node, ScalarNode):
            # A date is text here: no key of a node takes one.
            value = node.value if node.tag == _DATE else self.scalar(node)
            return Marked(value, self.at(node), key)
        self.enter(node)
        built: Any
        if isinstance(node, MappingNode):
            built = {}
            for name_node, value in node.value:
                name, where = self._key(name_node), self.at(name_node)
                if name in built:
                    raise self.duplicate(name, where, built[name].key)
                built[name] = self.build(value, where)
        else:
            built = tuple(self.build(each) for each in node.value)
        self.leave(node)
        return Marked(built, self.at(node), key)

    def _key(self, node: Node) -> str:
        if not isinstance(node, ScalarNode) or node.tag == TAG + "merge":
            braces = isinstance(node, MappingNode) and node.flow_style
            hint = 'quote a template: "{{ value }}"' if braces else "write the keys out"
            raise InputError("a key must be a plain word", where=self.at(node), next=hint)
        return str(node.value)


def fill(marked: Marked, render: Callable[[Any, Position], Any], omit: object) -> Marked | None:
    """Render every text that is a template; what comes out as ``omit`` goes. A lone expression keeps its type."""
    if isinstance(marked.value, dict):
        parts = {name: fill(each, render, omit) for name, each in marked.value.items()}
        rest = {name: each for name, each in parts.items() if each is not None}
        return Marked(rest, marked.place, marked.key)
    if isinstance(marked.value, tuple):
        return Marked(tuple(_filled(marked.value, render, omit)), marked.place, marked.key)
    if not isinstance(marked.value, str) or "{" not in marked.value:
        return marked
    done = render(marked.value, marked.place)
    return None if done is omit else Marked(mark(done, marked.place).value, marked.place, marked.key)


def _filled(items: tuple[Marked, ...], render: Callable[[Any, Position], Any], omit: object) -> Iterator[Marked]:
    """An item that comes out as a list is its items: ``- "{{ more_files }}"``."""
    for each in items:
        done = fill(each, render, omit)
        if done is None:
            continue
        if isinstance(done.value, tuple) and isinstance(each.value, str):
            yield from done.value
        else:
            yield done


def merge(base: Marked, over: Marked) -> Marked:
    """``over`` wins. Mappings merge by key; a list grows, and an item of the same path or name merges with the old."""
    if isinstance(base.value, dict) and isinstance(over.value, dict):
        both = dict(base.value)
        alike = {str(name).replace("-", "_"): name for name in both}
        for name, each in over.value.items():
            old = alike.get(str(name).replace("-", "_"), name)
            both[old] = merge(both[old], each) if old in both else each
        return replace(over, value=both)
    if isinstance(base.value, tuple) and isinstance(over.value, tuple):
        items = list(base.value)
        for each in over.value:
            found = next((i for i, old in enumerate(items) if _identity(old) == _identity(each)), None)
            if found is None:
                items.append(each)
            else:
                items[found] = merge(items[found], each)
        return replace(over, value=tuple(items))
    return over


def _identity(marked: Marked) -> Any:
    if isinstance(marked.value, dict):
        return next(((key, marked.value[key].plain) for key in _IDENTITY if key in marked.value), id(marked))
    return marked.plain if isinstance(marked.value, str) else id(marked)
