"""YAML text to nodes that know their place, and nodes to plain values. Knows nothing of hosts and groups.

PyYAML composes (in C where it can); the values are those of its safe loader, which is what Ansible users expect.
Stricter than it: duplicate keys, tags it does not know and aliases that contain themselves are errors.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.events import CollectionEndEvent, CollectionStartEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from coreops.errors import InputError
from coreops.model import Position

_TAG = "tag:yaml.org,2002:"
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INDENTS = re.compile(r"^[ ?:-]*", re.MULTILINE)
DEEPEST = 100
"""Levels of mappings and lists that a document may nest."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping and the node of its value."""

    key: Any
    key_node: Node
    value: Node


def compose(text: str, file: str) -> Node | None:
    """Return the root node of the only document in ``text``, or None when there is none. Raises InputError."""
    if bad := _UNPRINTABLE.search(text):
        raise InputError(
            f"the character U+{ord(bad[0]):04X} is not allowed in YAML",
            where=_at(text, bad.start(), file),
            next='write it as an escape inside "double quotes"',
        )
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_depth(text, loader, file)
        return yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        raise _syntax(error, text, file) from None
    except yaml.YAMLError as error:
        raise InputError("not valid YAML", where=Position(file), why=str(error).strip()) from None


def _check_depth(text: str, loader: Any, file: str) -> None:
    """Raise InputError for a document so deep that the composer, recursive C, would crash the program.

    Only a text with many brackets or a deep indent can be deep; only such a text pays for a pass over its events.
    """
    if text.count("[") + text.count("{") < DEEPEST and len(max(_INDENTS.findall(text), key=len)) < DEEPEST:
        return
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                mark = event.start_mark
                where = Position(file, mark.line + 1, mark.column + 1) if mark else Position(file)
                raise InputError(f"nested deeper than {DEEPEST} levels", where=where, next="flatten the document")
        elif isinstance(event, CollectionEndEvent):
            depth -= 1


class Builder:
    """Makes values of the nodes of one file. An aliased node is built once and shared."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._built: dict[int, Any] = {}
        self._entries: dict[int, list[Entry]] = {}
        self._open: set[int] = set()

    def at(self, node: Node) -> Position:
        """Where ``node`` begins."""
        mark = node.start_mark
        return Position(self.file, mark.line + 1, mark.column + 1)

    def entries(self, node: MappingNode) -> list[Entry]:
        """Return the entries of a mapping, merge keys (``<<``) resolved. Raises InputError for a duplicate key."""
        known = self._entries.get(id(node))
        if known is not None:
            return known
        own: dict[Any, Entry] = {}
        inherited: dict[Any, Entry] = {}
        self._enter(node)
        for key_node, value in node.value:
            if key_node.tag == _TAG + "merge":
                for entry in self._merged(value):
                    inherited.setdefault(entry.key, entry)
                continue
            key = self.value(key_node)
            if isinstance(key, dict | list):
                raise InputError(
                    "a mapping or list cannot be a key", where=self.at(key_node), next=_quote_hint(key_node)
                )
            if key in own:
                raise InputError(
                    f"duplicate key {key!r}",
                    where=self.at(key_node),
                    why=f"the first one is at {self.at(own[key].key_node)}",
                    next="keep one of them",
                )
            own[key] = Entry(key, key_node, value)
        self._open.discard(id(node))
        found = self._entries[id(node)] = list((inherited | own).values() if inherited else own.values())
        return found

    def value(self, node: Node) -> Any:
        """Return the plain value of a node."""
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        known = self._built.get(id(node))
        if known is not None:
            return known
        built: Any
        if isinstance(node, MappingNode):
            self._only_tag(node, "map")
            entries = self.entries(node)
            self._enter(node)
            built = {entry.key: self.value(entry.value) for entry in entries}
        else:
            self._only_tag(node, "seq")
            self._enter(node)
            built = [self.value(item) for item in node.value]
        self._open.discard(id(node))
        self._built[id(node)] = built
        return built

    def _scalar(self, node: ScalarNode) -> Any:
        if node.tag == _TAG + "str":
            return node.value
        convert = _scalars().get(node.tag)
        if convert is None:
            raise self._unknown_tag(node)
        try:
            return convert(node)
        except (ValueError, yaml.YAMLError) as error:
            why = getattr(error, "problem", None) or str(error)
            raise InputError(
                f"{node.value[:40]!r} is not a value", where=self.at(node), why=why, next="quote it if it is text"
            ) from None

    def _merged(self, node: Node) -> list[Entry]:
        sources = node.value if isinstance(node, SequenceNode) else [node]
        found: list[Entry] = []
        for source in sources:
            if not isinstance(source, MappingNode):
                raise InputError("<< needs a mapping or a list of mappings", where=self.at(source))
            found.extend(self.entries(source))
        return found

    def _enter(self, node: Node) -> None:
        if id(node) in self._open:
            raise InputError("an alias contains itself", where=self.at(node), next="remove the alias")
        self._open.add(id(node))

    def _only_tag(self, node: Node, tag: str) -> None:
        if node.tag != _TAG + tag:
            raise self._unknown_tag(node)

    def _unknown_tag(self, node: Node) -> InputError:
        tag = node.tag.replace(_TAG, "!!")
        hint = "decrypt it with ansible-vault" if tag == "!vault" else "write a plain value, or quote it"
        return InputError(f"the tag {tag} is not supported", where=self.at(node), next=hint)


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
    return {_TAG + name: build for name, build in builders.items()}


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


def _quote_hint(node: Node) -> str | None:
    flow = isinstance(node, MappingNode) and node.flow_style
    return 'quote a value that begins with {{: "{{ name }}"' if flow else None


def _at(text: str, index: int, file: str) -> Position:
    before = text[:index]
    return Position(file, before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1)
