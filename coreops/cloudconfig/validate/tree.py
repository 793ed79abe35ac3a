"""A YAML document as a tree of values that know their place, their text and how they were written.

More tolerant than a reader that wants values: a duplicate key is a finding, not the end. Knows no key.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from coreops.cloudconfig.platforms.substitution import place
from coreops.errors import InputError
from coreops.model import Position

Kind = Literal["mapping", "list", "text", "int", "float", "bool", "null"]
DEEPEST = 50
MOST = 20_000
"""Values that a document may hold, aliases followed: a bomb has more."""
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INDENTS = re.compile(r"^[ ?:-]*", re.MULTILINE)
_TAGS: dict[str, Kind] = {"int": "int", "float": "float", "bool": "bool", "null": "null"}


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
    import yaml

    if bad := _UNPRINTABLE.search(text):
        raise InputError(
            f"the character U+{ord(bad[0]):04X} is not allowed in YAML", where=place(text, bad.start(), file)
        )
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_depth(text, loader, file)
        node = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Position(file, mark.line + 1, mark.column + 1) if mark else Position(file)
        why = "; ".join(part for part in (error.context, error.problem) if part)
        lines = text.splitlines()
        tab = mark is not None and mark.line < len(lines) and "\t" in lines[mark.line]
        hint = "indent with spaces: YAML allows no tabs" if tab else None
        raise InputError("not valid YAML", where=where, why=why, next=hint) from None
    except yaml.YAMLError as error:
        raise InputError("not valid YAML", where=Position(file), why=str(error).strip()) from None
    return None if node is None else _Builder(file).build(node)


def _check_depth(text: str, loader: Any, file: str) -> None:
    """The composer is recursive C: a deep document would crash it. Most texts cannot be deep, and are not looked at."""
    import yaml

    if text.count("[") + text.count("{") < DEEPEST and len(max(_INDENTS.findall(text), key=len)) < DEEPEST:
        return
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.events.CollectionStartEvent) - isinstance(event, yaml.events.CollectionEndEvent)
        if depth > DEEPEST:
            mark = event.start_mark
            where = Position(file, mark.line + 1, mark.column + 1) if mark else Position(file)
            raise InputError(f"nested deeper than {DEEPEST} levels", where=where)


class _Builder:
    def __init__(self, file: str) -> None:
        self.file = file
        self.count = 0
        self.open: set[int] = set()

    def build(self, node: Any) -> Value:
        at = self.at(node)
        span = (node.start_mark.index, node.end_mark.index)
        self.count += 1
        if self.count > MOST:
            raise InputError(f"the document holds more than {MOST} values", where=at, why="aliases are counted too")
        if node.id == "scalar":
            kind = _TAGS.get(node.tag.removeprefix("tag:yaml.org,2002:"), "text")
            plain = node.style is None or node.style == ""
            # Go's reader, unlike Python's, takes a lone y and n for yes and no.
            if kind == "text" and plain and node.value in ("y", "Y", "n", "N"):
                kind = "bool"
            text = _unpacked(node.value, at) if node.tag == "tag:yaml.org,2002:binary" else node.value
            return Value(kind, at, span, text, plain)
        if id(node) in self.open:
            raise InputError("an alias contains itself", where=at, next="remove the alias")
        self.open.add(id(node))
        if node.id == "mapping":
            value = Value("mapping", at, span, entries=tuple(self.entries(node)))
        else:
            value = Value("list", at, span, items=tuple(self.build(each) for each in node.value))
        self.open.discard(id(node))
        return value

    def entries(self, node: Any) -> Iterator[Entry]:
        for key, value in node.value:
            if key.id != "scalar":
                raise InputError("a mapping or list cannot be a key", where=self.at(key))
            built = self.build(value)
            if key.tag == "tag:yaml.org,2002:merge":
                taken = {each.value.replace("-", "_") for each, _ in node.value if each.id == "scalar"}
                for entry in (entry for source in (built, *built.items) for entry in source.entries):
                    if entry.name not in taken:
                        taken.add(entry.name)
                        yield entry
            else:
                yield Entry(key.value.replace("-", "_"), key.value, self.at(key), built)

    def at(self, node: Any) -> Position:
        return Position(self.file, node.start_mark.line + 1, node.start_mark.column + 1)


def _unpacked(text: str, at: Position) -> str:
    """Bytes that are no text become lone surrogates, which go back to the same bytes."""
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError) as error:
        raise InputError("a !!binary value that is not base64", where=at, why=str(error)) from None
