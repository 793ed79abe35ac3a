"""A YAML document as a tree of values that know their place, their text and how they were written.

More tolerant than a reader that wants values: a duplicate key is a finding, not the end. Knows no key.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from yaml.nodes import MappingNode, Node, ScalarNode

from coreops.errors import InputError
from coreops.model import Position
from coreops.yaml_marks import TAG, Walk, compose

Kind = Literal["mapping", "list", "text", "int", "float", "bool", "null"]
DEEPEST = 50
MOST = 20_000
"""Values that a document may hold, aliases followed: a bomb has more."""
_TAGS: dict[str, Kind] = {TAG + "int": "int", TAG + "float": "float", TAG + "bool": "bool", TAG + "null": "null"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a mapping. name: with ``_`` for ``-``, which coreos-cloudinit takes for the same."""

    name: str
    written: str
    at: Position
    value: Value


@dataclass(frozen=True, slots=True)
class Value:
    """A node. text: of a scalar, as a key that takes text gets it. span: indexes in the document."""

    kind: Kind
    at: Position
    span: tuple[int, int]
    text: str = ""
    plain: bool = False
    entries: tuple[Entry, ...] = ()
    items: tuple[Value, ...] = ()

    def get(self, *path: str) -> Value | None:
        """The value below, where a key comes twice the last, or None."""
        here: Value | None = self
        for name in path:
            if here is None:
                return None
            here = next((entry.value for entry in reversed(here.entries) if entry.name == name), None)
        return here

    def texts(self, *path: str) -> str:
        """The text of the scalar below, else an empty text."""
        found = self.get(*path)
        return found.text if found else ""

    def true(self, name: str) -> bool:
        """Whether the key below is true."""
        found = self.get(name)
        return found is not None and found.kind == "bool" and found.text.lower() in ("true", "yes", "on", "y")

    def scalars(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Value]]:
        """Every scalar with its path; list items are named by their number."""
        if self.kind == "mapping":
            for entry in self.entries:
                yield from entry.value.scalars((*path, entry.name))
        elif self.kind == "list":
            for number, item in enumerate(self.items):
                yield from item.scalars((*path, str(number)))
        else:
            yield path, self


def parse(text: str, file: str) -> Value | None:
    """Parse one document; None when it is empty. Raises InputError with line and column."""
    node = compose(text, file, DEEPEST)
    return None if node is None else _Builder(file, MOST).build(node)


class _Builder(Walk):
    def build(self, node: Node) -> Value:
        self.count(node)
        at, span = self.at(node), (node.start_mark.index, node.end_mark.index)
        if isinstance(node, ScalarNode):
            kind = _TAGS.get(node.tag, "text")
            plain = not node.style
            # Go's reader, unlike Python's, takes a lone y and n for yes and no.
            if kind == "text" and plain and node.value in ("y", "Y", "n", "N"):
                kind = "bool"
            text = _unpacked(node.value, at) if node.tag == TAG + "binary" else node.value
            return Value(kind, at, span, text, plain)
        self.enter(node)
        if isinstance(node, MappingNode):
            value = Value("mapping", at, span, entries=tuple(self.entries(node)))
        else:
            value = Value("list", at, span, items=tuple(self.build(each) for each in node.value))
        self.leave(node)
        return value

    def entries(self, node: MappingNode) -> Iterator[Entry]:
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise self.no_key(key)
            built = self.build(value)
            if key.tag == TAG + "merge":
                taken = {each.value.replace("-", "_") for each, _ in node.value if isinstance(each, ScalarNode)}
                for entry in (entry for source in (built, *built.items) for entry in source.entries):
                    if entry.name not in taken:
                        taken.add(entry.name)
                        yield entry
            else:
                yield Entry(key.value.replace("-", "_"), key.value, self.at(key), built)


def _unpacked(text: str, at: Position) -> str:
    """Bytes that are no text become lone surrogates, which go back to the same bytes."""
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError) as error:
        raise InputError("a !!binary value that is not base64", where=at, why=str(error)) from None
