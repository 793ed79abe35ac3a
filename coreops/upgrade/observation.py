"""What a node is seen to be, as one frozen picture. Every decision about a node rests on one of these. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from coreops.frozen import frozen

Stage = Literal["activated", "good", "rolling back"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What coreops left on the node before it did something that outlives a connection; gone when the turn is over.

    stage: "activated": the new slot boots next (written before the bits are set); "good": the new slot is proven;
    "rolling back": the old slot boots next. boot_id: of the boot in which the ticket was written. slot: the one the
    release was staged in. failed_units: what was broken before the turn, and is not the release's fault.
    """

    run: str
    version: str
    sha256: str
    slot: str
    boot_id: str
    stage: Stage
    failed_units: tuple[str, ...] = ()


@frozen(kw_only=True)
class Observation:
    """One look at one node.

    slot: the one /usr is mounted from. passive: the other one, "" when there is none. good: the booted slot is marked
    good. next: the slot that boots next. fallback: a good slot other than the booted one exists.
    passive_version: what the passive slot holds when it can be booted, else "". staged: the SHA-256 of the release
    image that was written to the passive slot and read back, else "". drained: coreops drained the node and has not
    undone it. cordoned: somebody else did. blockers: why coreops must not upgrade this node (another update agent, a
    damaged partition table), one sentence each.
    """

    machine_id: str
    boot_id: str
    version: str
    board: str
    slot: str
    passive: str
    good: bool
    next: str
    fallback: bool = False
    passive_version: str = ""
    passive_size: int = 0
    staged: str = ""
    ticket: Ticket | None = None
    drained: bool = False
    cordoned: bool = False
    failed_units: tuple[str, ...] = ()
    blockers: tuple[str, ...] = ()
    uptime: float = 0.0
    hostname: str = ""
    macs: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreView:
    """The etcd cluster as it answered last. Names are hosts; a member no host owns is ``member:<hexadecimal id>``.

    healthy: voters that serve and have caught up with the leader.
    """

    voters: frozenset[str] = frozenset()
    healthy: frozenset[str] = frozenset()
    leader: str | None = None


@frozen(kw_only=True)
class Health:
    """A sample. verdict "wait": not now, ask again (a veto, still starting); "bad": wrong as things stand."""

    verdict: Literal["ok", "wait", "bad"] = "ok"
    reasons: tuple[str, ...] = ()
    store: StoreView | None = None
