"""A node from YAML text, for tests."""

from __future__ import annotations

from coreops.cloudconfig.marked import parse
from coreops.cloudconfig.model import Node, node_of


def node(text: str) -> Node:
    return node_of(parse(text, "node.yml"), "n1")
