"""What a rollout works with: drivers, gates, hooks, ledger, the image, and what was last seen of every node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coreops.events import Emit
from coreops.store.cluster import Member
from coreops.upgrade.cluster.nodes import Nodes
from coreops.upgrade.cluster.scheduling import Scheduling
from coreops.upgrade.drain.protocol import Drain
from coreops.upgrade.gates.gateset import GateSet
from coreops.upgrade.hooks import Hooks
from coreops.upgrade.ledger.protocol import Ledger
from coreops.upgrade.observation import Observation
from coreops.upgrade.plan import Patience
from coreops.upgrade.release import Release
from coreops.upgrade.slots.protocol import SlotDriver


@dataclass(slots=True, kw_only=True)
class World:
    """version: what the rollout is about. release, image: None when no image travels. takes_over: see Plan.

    scheduling: None when no scheduler runs on any of the nodes.
    """

    run: str
    version: str
    nodes: Nodes
    driver: SlotDriver
    gates: GateSet
    drains: Mapping[str, Drain]
    patience: Patience
    hooks: Hooks
    ledger: Ledger
    members: Mapping[str, Member]
    emit: Emit
    release: Release | None = None
    image: Path | None = None
    takes_over: frozenset[str] = frozenset()
    scheduling: Scheduling | None = None
    seen: dict[str, Observation] = field(default_factory=dict)
