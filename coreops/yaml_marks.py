"""The one reader of YAML: text to nodes that know their place, guarded against what would crash or drown the program.

Knows nothing of what is read. PyYAML composes, in C where it can; the values of scalars are those of its safe loader.
A reader makes its own kind of tree of the nodes, as a subclass of Walk.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.events import CollectionEndEvent, CollectionStartEvent
from yaml.nodes import MappingNode, Node, ScalarNode

from coreops.errors import InputError
from coreops.model import Position

TAG = "tag:yaml.org,2002:"
DEEPEST = 100
"""Levels of mappings and lists that a document may nest."""
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def decode(data: bytes, file: str) -> str:
    """The text of a file, UTF-8; a byte order mark stays in it. Raises InputError with the place of what is no text."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(
            "not UTF-8", where=Position(file), why="it begins like UTF-16", next="save it as UTF-8 without BOM"
        )
    if b"\0" in data:
        raise InputError("a binary file", where=Position(file), why="there are zero bytes in it")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        at = Position(file, before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        raise InputError(
            "not UTF-8", where=at, why=f"the byte 0x{data[error.start]:02x}", next="save it as UTF-8"
        ) from None


def place(text: str, index: int, file: str) -> Position:
    """Where in a file the character at ``index`` is."""
    return Position(file, text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index))


def compose(text: str, file: str, deepest: int = DEEPEST) -> Node | None:
    """Return the root node of the only document in ``text``, or None when there is none. Raises InputError."""
    if bad := _UNPRINTABLE.search(text):
        raise InputError(
            f"the character U+{ord(bad[0]):04X} is not allowed in YAML",
            where=place(text, bad.start(), file),
            next='write it as an escape inside "double quotes"',
        )
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_depth(text, loader, file, deepest)
        return yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        raise _syntax(error, text, file) from None
    except yaml.YAMLError as error:
        raise InputError("not valid YAML", where=Position(file), why=str(error).strip()) from None


def _check_depth(text: str, loader: Any, file: str, deepest: int) -> None:
    """Raise InputError for a document so deep that the composer, recursive C, would crash the program.

    Only a text with many brackets or a deep indent can be deep; only such a text pays for a pass over its events.
    """
    if text.count("[") + text.count("{") < deepest and not re.search(rf"(?m)^[ ?:-]{{{deepest}}}", text):
        return
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, CollectionStartEvent):
            depth += 1
            if depth > deepest:
                mark = event.start_mark
                where = Position(file, mark.line + 1, mark.column + 1) if mark else Position(file)
                raise InputError(f"nested deeper than {deepest} levels", where=where, next="flatten the document")
        elif isinstance(event, CollectionEndEvent):
            depth -= 1


@cache
def _scalars() -> dict[str, Callable[[ScalarNode], Any]]:
    safe = SafeConstructor()
    builders: dict[str, Callable[[ScalarNode], Any]] = {
        "null": safe.construct_yaml_null,
        "bool": safe.construct_yaml_bool,
        "int": safe.construct_yaml_int,
        "float": safe.construct_yaml_float,
        "timestamp": safe.construct_yaml_timestamp,
        "binary": safe.construct_yaml_binary,
        "value": lambda node: node.value,
    }
    return {TAG + name: build for name, build in builders.items()}


class Walk:
    """One walk over the nodes of a file, by a reader that follows aliases.

    most: values that it may meet, those of aliases each time: a bomb has more.
    """

    def __init__(self, file: str, most: int | None = None) -> None:
        self.file = file
        self._left = most
        self._most = most
        self._open: set[int] = set()

    def at(self, node: Node) -> Position:
        """Where ``node`` begins."""
        mark = node.start_mark
        return Position(self.file, mark.line + 1, mark.column + 1)

    def count(self, node: Node) -> None:
        """Meet a value. Raises InputError for one too many."""
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise InputError(
                    f"the document holds more than {self._most} values",
                    where=self.at(node),
                    why="aliases are counted too",
                )

    def enter(self, node: Node) -> None:
        """Go into a mapping or list. Raises InputError when already in it."""
        if id(node) in self._open:
            raise InputError("an alias contains itself", where=self.at(node), next="remove the alias")
        self._open.add(id(node))

    def leave(self, node: Node) -> None:
        """Come out of it again."""
        self._open.discard(id(node))

    def scalar(self, node: ScalarNode) -> Any:
        """Return the plain value of a scalar. Raises InputError."""
        if node.tag == TAG + "str":
            return node.value
        convert = _scalars().get(node.tag)
        if convert is None:
            raise self.unknown_tag(node)
        try:
            return convert(node)
        # PyYAML takes for granted that what a tag is written before looks like it: !!int "", !!bool x, !!timestamp x.
        except (LookupError, AttributeError):
            why = f"it is no {node.tag.removeprefix(TAG)}"
        except (ValueError, OverflowError, yaml.YAMLError) as error:
            why = getattr(error, "problem", None) or str(error)
        raise InputError(
            f"{node.value[:40]!r} is not a value", where=self.at(node), why=why, next="quote it if it is text"
        )

    def duplicate(self, key: object, at: Position, first: Position | None) -> InputError:
        """The error for a key that is there twice."""
        return InputError(
            f"duplicate key {key!r}", where=at, why=f"the first one is at {first}", next="keep one of them"
        )

    def unknown_tag(self, node: Node) -> InputError:
        """The error for a tag that is not supported."""
        tag = node.tag.replace(TAG, "!!")
        hint = "decrypt it with ansible-vault" if tag == "!vault" else "write a plain value, or quote it"
        return InputError(f"the tag {tag} is not supported", where=self.at(node), next=hint)

    def no_key(self, node: Node) -> InputError:
        """The error for a mapping or list where a key should be."""
        template = isinstance(node, MappingNode) and node.flow_style
        hint = 'quote a value that begins with {{: "{{ name }}"' if template else None
        return InputError("a mapping or list cannot be a key", where=self.at(node), next=hint)


def _syntax(error: yaml.MarkedYAMLError, text: str, file: str) -> InputError:
    lines = text.splitlines() or [""]
    last = len(lines) - 1
    marks = [(m.line, m.column) for m in (error.problem_mark, error.context_mark) if m]
    # at the end of the file, what was left open says more
    inside = [mark for mark in marks if mark < (last, len(lines[last]))]
    row, column = (inside or [(last, len(lines[last]))])[0]
    where, line = Position(file, row + 1, column + 1), lines[row]
    why = "; ".join(part for part in (error.context, error.problem) if part)
    hint = None
    if "\t" in line[: len(line) - len(line.lstrip())] or line[column : column + 1] == "\t":
        hint = "indent with spaces: YAML allows no tabs here"
    elif "single document" in why:
        hint = "keep one document: remove the second ---"
    elif "{" in line and re.search(r"[\w.]\[\w*:", line):
        hint = "quote a range inside { }: 'n[1:3]'"
    elif "{{" in line:
        hint = 'quote a value that begins with {{: "{{ name }}"'
    return InputError("not valid YAML", where=where, why=why, next=hint)
