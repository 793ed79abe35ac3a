"""YAML text -> values whose every part knows its file:line:column. Reads files; knows nothing of plays.

Composes with the C parser (which keeps marks) and constructs the values itself, so that duplicate keys, unknown tags
and recursive aliases are errors with a place instead of surprises.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coreops.errors import InputError
from coreops.model import Position

if TYPE_CHECKING:
    from yaml import MappingNode, ScalarNode
    from yaml.nodes import Node as YamlNode


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A value with its place. ``items`` and ``keys`` (place of each key) for a mapping, ``elements`` for a list."""

    value: Any
    position: Position
    items: Mapping[Any, Node] = field(default_factory=dict)
    keys: Mapping[Any, Position] = field(default_factory=dict)
    elements: tuple[Node, ...] = ()

    def error(self, what: str, *, why: str | None = None, next: str | None = None) -> InputError:
        """An InputError at this place."""
        return InputError(what, where=self.position, why=why, next=next)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.elements)


def read_yaml(path: Path, label: str | None = None) -> Node | None:
    """Read a YAML file; None when it holds nothing. ``label``: how the file is called in errors."""
    name = label or str(path)
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise InputError("no such file", where=name, next="check the path") from None
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8 text", where=name, why=str(error), next="save the file as UTF-8") from None
    except OSError as error:
        raise InputError("cannot read the file", where=name, why=error.strerror or str(error)) from None
    return parse_yaml(text, name)


def parse_yaml(text: str, file: str) -> Node | None:
    """Parse one YAML document; None when it is empty. Raises InputError with file:line:col."""
    import yaml

    loader_type: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        loader = loader_type(text)
        try:
            root = loader.get_single_node()
            return None if root is None else _Builder(loader, file).build(root)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Position(file, mark.line + 1, mark.column + 1) if mark else Position(file)
        raise InputError(
            "this is not valid YAML",
            where=where,
            why=", ".join(part for part in (error.context, error.problem) if part),
            next="often: a missing space after ':', a tab for indentation, or an unquoted value that begins with {{",
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InputError("this is not valid YAML", where=Position(file, line), why=error.reason) from None


class _Builder:
    """Constructs Nodes from one document's composed YAML."""

    def __init__(self, loader: Any, file: str) -> None:
        self._loader = loader
        self._file = file
        self._done: dict[int, Node] = {}
        self._open: set[int] = set()

    def _place(self, node: YamlNode) -> Position:
        return Position(self._file, node.start_mark.line + 1, node.start_mark.column + 1)

    def build(self, node: YamlNode) -> Node:
        """Construct a node and all below it; an aliased node is constructed once."""
        key = id(node)
        if key in self._done:
            return self._done[key]
        place = self._place(node)
        if key in self._open:
            raise InputError("a YAML alias that contains itself", where=place)
        self._open.add(key)
        try:
            built = self._construct(node, place)
        except RecursionError:
            raise InputError("nested too deeply", where=place) from None
        self._open.discard(key)
        self._done[key] = built
        return built

    def _construct(self, node: YamlNode, place: Position) -> Node:
        from yaml import MappingNode, SequenceNode

        if isinstance(node, MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return self._mapping(node, place)
        if isinstance(node, SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            elements = tuple(self.build(child) for child in node.value)
            return Node([child.value for child in elements], place, elements=elements)
        return self._scalar(node, place)

    def _scalar(self, node: Any, place: Position) -> Node:
        tag: str = node.tag
        if tag == "tag:yaml.org,2002:timestamp":
            return Node(node.value, place)
        if tag == "!vault":
            raise InputError(
                "vaulted values are not supported yet",
                where=place,
                next="keep the secret in a file outside the project",
            )
        if not tag.startswith("tag:yaml.org,2002:") or tag.endswith((":python", ":set", ":omap", ":pairs")):
            raise InputError(f"unknown YAML tag {tag!r}", where=place, next="remove the tag or quote the value")
        try:
            return Node(self._loader.construct_object(node, deep=True), place)
        except ValueError as error:
            raise InputError(f"bad value {node.value!r}", where=place, why=str(error)) from None

    def _mapping(self, node: MappingNode, place: Position) -> Node:
        items: dict[Any, Node] = {}
        keys: dict[Any, Position] = {}
        merged: list[Node] = []
        for key_node, value_node in node.value:
            where = self._place(key_node)
            if key_node.tag == "tag:yaml.org,2002:merge":
                source = self.build(value_node)
                merged.extend(source.elements or (source,))
                continue
            key = self._key(key_node, where)
            if key in keys:
                raise InputError(f"duplicate key {key!r}", where=where, why=f"first written at {keys[key]}")
            keys[key] = where
            items[key] = self.build(value_node)
        for source in merged:
            if not isinstance(source.value, dict):
                raise source.error("'<<' merges mappings only")
            for key, child in source.items.items():
                if key not in items:
                    items[key], keys[key] = child, source.keys[key]
        return Node({key: child.value for key, child in items.items()}, place, items, keys)

    def _key(self, node: ScalarNode, where: Position) -> Any:
        key = self.build(node).value
        if isinstance(key, (dict, list)):
            raise InputError(
                "a mapping cannot be a key", where=where, next='quote values that begin with {{: "{{ name }}"'
            )
        return key
