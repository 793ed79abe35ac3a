"""What a bootstrap works on: what was asked for (Options), what it finds out (Run), what comes of it (Result)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coreops.engine.engine import Engine, Keeper
from coreops.events import Emit
from coreops.inventory import Inventory
from coreops.model import Target
from coreops.store import observe
from coreops.store.converge import Converger
from coreops.store.etcdctl import MemberInfo
from coreops.store.nodes import Nodes
from coreops.store.pki import Leaf, Pki
from coreops.store.wanted import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the operator asked for. ``connection``: defaults for how to reach hosts (see ``inventory.target``).

    loaded: the inventory, by who has read it already. beside: other hosts that the phases after the store's reach in
    the same run. leaves: certificates that those need, of the same authority. without: members that are left out, as
    their machines do not answer; the cluster must have been formed before.
    """

    inventory: Path
    playbook: Path
    run: str
    check: bool = False
    diff: bool = False
    limit: str | None = None
    prune: bool = False
    verify: bool = False
    forks: int | None = None
    journal: Keeper | None = None
    connection: Mapping[str, Any] = field(default_factory=dict)
    loaded: Inventory | None = None
    beside: Mapping[str, Target] = field(default_factory=dict)
    leaves: tuple[Leaf, ...] = ()
    without: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the cluster is now. ``changes``: what was done (or, with check, would be done); empty: nothing to change.

    further: what the phases after the store's say of themselves, by their own names.
    """

    check: bool
    version: str
    endpoints: tuple[str, ...]
    changes: tuple[str, ...]
    strays: tuple[str, ...]
    exchanges: Mapping[str, int]
    seconds: float
    commands: Mapping[str, str]
    verified: bool | None = None
    further: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Run:
    """What the phases hand to each other. Each attribute is set by the phase that finds it out."""

    options: Options
    emit: Emit
    inventory: Inventory
    wanted: Wanted
    only: frozenset[str] | None = None
    archives: dict[str, Path] = field(default_factory=dict)
    pki: Pki
    extra: dict[str, Any] = field(default_factory=dict)
    engine: Engine
    nodes: Nodes
    found: dict[str, observe.Node] = field(default_factory=dict)
    pending: dict[str, int] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    strays: tuple[MemberInfo, ...] = ()
    finished: bool = False
    verified: bool | None = None
    further: dict[str, Any] = field(default_factory=dict)

    @property
    def everybody(self) -> tuple[str, ...]:
        """The hosts of the store, then those beside it."""
        return tuple(dict.fromkeys((*self.wanted.names, *self.options.beside)))

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that may be touched."""
        return tuple(name for name in self.wanted.names if self.only is None or name in self.only)

    def converger(self) -> Converger:
        """The membership part, with this run's wishes."""
        return Converger(
            self.nodes, self.wanted.members, self.extra, self.emit, prune=self.options.prune, only=self.only
        )
