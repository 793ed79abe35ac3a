"""A document as a tree of values that know their place, their text and how they were written.

More tolerant than a reader that wants values: a duplicate key is a finding, not the end. Knows no key; who reads the
document on the machine decides what is a value of which type, and which keys are the same (Dialect).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from yaml.nodes import MappingNode, Node, ScalarNode

from coreops.errors import InputError
from coreops.model import Position
from coreops.yaml_marks import TAG, Walk, compose

Kind = Literal["mapping", "list", "text", "int", "float", "bool", "null", "date"]
DEEPEST = 50
MOST = 20_000
"""Values that a document may hold, aliases followed: a bomb has more."""
_TAGS: dict[str, Kind] = {
    TAG + "int": "int",
    TAG + "float": "float",
    TAG + "bool": "bool",
    TAG + "null": "null",
    TAG + "timestamp": "date",
}
_TEXTS = frozenset({TAG + "str", TAG + "binary", TAG + "value", TAG + "merge"})
_COLLECTIONS = frozenset({TAG + "map", TAG + "seq"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a mapping. name: what rules call it, the same for all spellings that its reader takes for the same."""

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
        here = self
        for name in path:
            for entry in reversed(here.entries):
                if entry.name == name:
                    here = entry.value
                    break
            else:
                return None
        return here

    def texts(self, *path: str) -> str:
        """The text of the scalar below, else an empty text."""
        found = self.get(*path)
        return found.text if found and found.kind != "null" else ""

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


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a program reads YAML. name: what a key is called in rules; more: unquoted words that it reads unlike PyYAML.

    strict: tags that it does not know, and values that their tag does not allow, are errors.
    """

    name: Callable[[str], str] = str
    more: Callable[[str], Kind | None] = lambda text: None
    strict: bool = True


COREOS = Dialect(
    lambda written: written.replace("-", "_"),
    lambda text: "bool" if text in ("y", "Y", "n", "N") else None,
    strict=False,
)
"""coreos-cloudinit: ``-`` and ``_`` are alike; Go's reader takes a lone y and n for yes and no."""


def parse(text: str, file: str, dialect: Dialect = COREOS) -> Value | None:
    """Parse one document; None when it is empty. Raises InputError with line and column."""
    node = compose(text, file, DEEPEST)
    return None if node is None else _Builder(file, dialect).build(node)


class _Builder(Walk):
    def __init__(self, file: str, dialect: Dialect) -> None:
        super().__init__(file, MOST)
        self.dialect = dialect

    def build(self, node: Node) -> Value:
        self.count(node)
        at, span = self.at(node), (node.start_mark.index, node.end_mark.index)
        if isinstance(node, ScalarNode):
            kind = _TAGS.get(node.tag, "text")
            plain = not node.style
            if kind == "text" and plain:
                kind = self.dialect.more(node.value) or kind
            if self.dialect.strict and node.tag not in _TEXTS:
                self.scalar(node)
            text = _unpacked(node.value, at) if node.tag == TAG + "binary" else node.value
            return Value(kind, at, span, text, plain)
        if self.dialect.strict and node.tag not in _COLLECTIONS:
            raise self.unknown_tag(node)
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
                taken = {self.dialect.name(each.value) for each, _ in node.value if isinstance(each, ScalarNode)}
                for entry in (entry for source in (built, *built.items) for entry in source.entries):
                    if entry.name not in taken:
                        taken.add(entry.name)
                        yield entry
            else:
                yield Entry(self.dialect.name(key.value), key.value, self.at(key), built)


def _unpacked(text: str, at: Position) -> str:
    """Bytes that are no text become lone surrogates, which go back to the same bytes."""
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError) as error:
        raise InputError("a !!binary value that is not base64", where=at, why=str(error)) from None
