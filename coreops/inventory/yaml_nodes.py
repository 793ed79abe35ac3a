"""The inventory's view of YAML: plain values, and the entries of mappings with their places.

Knows nothing of hosts and groups. The values are those of PyYAML's safe loader, which is what Ansible users expect.
Stricter than it: duplicate keys, tags it does not know and aliases that contain themselves are errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from coreops.errors import InputError
from coreops.yaml_marks import DEEPEST, TAG, Walk, compose

__all__ = ["DEEPEST", "Builder", "Entry", "compose"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping and the node of its value."""

    key: Any
    key_node: Node
    value: Node


class Builder(Walk):
    """Makes values of the nodes of one file. An aliased node is built once and shared."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self._built: dict[int, Any] = {}
        self._entries: dict[int, list[Entry]] = {}

    def entries(self, node: MappingNode) -> list[Entry]:
        """Return the entries of a mapping, merge keys (``<<``) resolved. Raises InputError for a duplicate key."""
        known = self._entries.get(id(node))
        if known is not None:
            return known
        own: dict[Any, Entry] = {}
        inherited: dict[Any, Entry] = {}
        self.enter(node)
        for key_node, value in node.value:
            if key_node.tag == TAG + "merge":
                for entry in self._merged(value):
                    inherited.setdefault(entry.key, entry)
                continue
            key = self.value(key_node)
            if isinstance(key, dict | list):
                raise self.no_key(key_node)
            if key in own:
                raise self.duplicate(key, self.at(key_node), self.at(own[key].key_node))
            own[key] = Entry(key, key_node, value)
        self.leave(node)
        found = self._entries[id(node)] = list((inherited | own).values() if inherited else own.values())
        return found

    def value(self, node: Node) -> Any:
        """Return the plain value of a node."""
        if isinstance(node, ScalarNode):
            return self.scalar(node)
        known = self._built.get(id(node))
        if known is not None:
            return known
        built: Any
        if isinstance(node, MappingNode):
            self._only_tag(node, "map")
            entries = self.entries(node)
            self.enter(node)
            built = {entry.key: self.value(entry.value) for entry in entries}
        else:
            self._only_tag(node, "seq")
            self.enter(node)
            built = [self.value(item) for item in node.value]
        self.leave(node)
        self._built[id(node)] = built
        return built

    def _merged(self, node: Node) -> list[Entry]:
        sources = node.value if isinstance(node, SequenceNode) else [node]
        found: list[Entry] = []
        for source in sources:
            if not isinstance(source, MappingNode):
                raise InputError("<< needs a mapping or a list of mappings", where=self.at(source))
            found.extend(self.entries(source))
        return found

    def _only_tag(self, node: Node, tag: str) -> None:
        if node.tag != TAG + tag:
            raise self.unknown_tag(node)
