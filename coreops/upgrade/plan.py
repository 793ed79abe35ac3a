"""What a rollout is to do, fixed before it begins: the nodes in their order, the release, the policy. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from coreops.upgrade.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long each kind of wait may take, in seconds, and how often what may be tried again is tried."""

    survey: float = 60.0
    stage: float = 3600.0
    lease: float = 60.0
    gate: float = 600.0
    hook: float = 900.0
    drain: float = 900.0
    act: float = 120.0
    back: float = 900.0
    health: float = 600.0
    interval: float = 2.0
    answer: float = 2.0
    """Of a member of the store, to one question."""
    silence: float = 45.0
    """Of the ledger, when the leases count as lost: signs of life have come to nothing for so long."""

    def pause(self, waited: float) -> float:
        """Seconds until the next try of what was first tried so long ago: at most ``interval``, and short at first, so
        that what is ready soon is seen soon.
        """
        return min(self.interval, max(self.interval, waited) / 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How careful to be.

    max_unavailable: nodes, resolved from a percentage. max_failures: failed nodes (unreachable ones count) that do
    not stop the rollout. canaries: how many nodes go alone at first. soak: seconds of unbroken health before a slot
    counts as good; samples: how many samples that takes at least. turn: expected length of one node's disruptive
    part, until one was measured. allow_downtime: the only member of a store may be stopped.
    """

    max_unavailable: int = 1
    max_failures: int = 0
    canaries: int = 1
    soak: float = 30.0
    samples: int = 3
    windows: tuple[Window, ...] = ()
    turn: float = 300.0
    allow_downtime: bool = False
    wait_for_window: bool = False
    hooks: frozenset[str] = frozenset()
    patience: Patience = field(default_factory=Patience)

    def next_sample(self, now: float, well_since: float) -> float:
        """When health is to be looked at again: when the soak ends, if that is sooner than after an interval."""
        soaked, later = well_since + self.soak, now + self.patience.interval
        return min(later, soaked) if soaked > now else later


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """One node's place. zone "": no failure domain known. why: why it stands where it stands."""

    name: str
    zone: str = ""
    member: bool = False
    canary: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole rollout. ``nodes`` in order. release: version -> what is staged; sha256 "" means: no image travels,
    the target is what the passive slot already holds (``coreops rollback``). takes_over: runs whose leases this one
    may take. start_none: finish what is under way, begin nothing (``coreops abort``).
    """

    run: str
    version: str
    sha256: str
    nodes: tuple[NodePlan, ...]
    policy: Policy
    takes_over: frozenset[str] = frozenset()
    start_none: bool = False
    deny_source: bool = False

    def zones(self) -> Mapping[str, str]:
        """Node -> zone."""
        return {node.name: node.zone for node in self.nodes}
