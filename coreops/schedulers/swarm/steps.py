"""The steps on the way to the wanted swarm, as ``decide`` names them and ``swarm`` does them. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coreops.schedulers.swarm.state import Entry


@dataclass(frozen=True, slots=True)
class Wait:
    """The swarm is at it."""

    why: str


@dataclass(frozen=True, slots=True)
class Start:
    """Start engines that rest."""

    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Restart:
    """Restart engines that have new settings; no task of a swarm runs on them."""

    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Revive:
    """Restart an engine that is in the swarm and runs, but is called down. gap: seconds to be off meanwhile."""

    host: str
    gap: float


@dataclass(frozen=True, slots=True)
class Init:
    host: str


@dataclass(frozen=True, slots=True)
class Forget:
    """Take entries off the list that are what hosts were before they were wiped. Said on ``on``."""

    on: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Leave:
    """Engines that believe to be in the swarm, which has forgotten them."""

    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Join:
    hosts: tuple[str, ...]
    remotes: tuple[str, ...]
    tokens: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settle:
    """Give nodes (by id) their labels and roles, and the swarm its settings. Said on ``on``."""

    on: str
    nodes: Mapping[str, Mapping[str, Any]]
    """Node id -> "labels" to be set (or, None, removed), and "role"."""
    spec: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Empty:
    """Drain a node whose engine has to be restarted."""

    host: str


@dataclass(frozen=True, slots=True)
class Reopen:
    """Undo that."""

    host: str


@dataclass(frozen=True, slots=True)
class Done:
    strays: tuple[str, ...] = ()


Step = Wait | Start | Restart | Revive | Init | Forget | Leave | Join | Settle | Empty | Reopen | Done
