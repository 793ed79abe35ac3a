"""What an inventory is made of: settings with their places, hosts and groups. Frozen, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from coreops.frozen import frozen
from coreops.model import Position


@frozen
class Setting:
    """A variable's untemplated value and the place it was written. overrides: earlier places it hid, nearest first."""

    value: Any = field(repr=False)
    position: Position
    overrides: tuple[Position, ...] = ()


Settings = Mapping[str, Setting]


@frozen
class Host:
    """A host. groups: those that name it directly. settings: from inventory files only."""

    name: str
    position: Position
    groups: tuple[str, ...]
    settings: Settings = field(repr=False)


@frozen
class Group:
    """A group. hosts and children: named directly. depth: the longest way down from ``all``."""

    name: str
    position: Position
    hosts: tuple[str, ...]
    children: tuple[str, ...]
    parents: tuple[str, ...]
    depth: int
    priority: int
    settings: Settings = field(repr=False)


@frozen
class VarsFolder:
    """The group_vars/ and host_vars/ of one folder: for each name, one Settings per file, weakest first."""

    groups: Mapping[str, tuple[Settings, ...]]
    hosts: Mapping[str, tuple[Settings, ...]]
