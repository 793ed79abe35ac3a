"""What the coordinator says and hears: ``Do`` out, all else in. The real cluster and the simulator both speak it.

For every Do the world answers once, with Did or Failed of the same serial, or never. It may answer late; a serial that
is no longer waited for is ignored. Nothing here does I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from coreops.frozen import frozen
from coreops.upgrade.observation import Health, Observation

ROLLOUT = "@rollout"
"""The name under which the rollout as a whole takes its lease."""


class Action(StrEnum):
    """What can be done to a node. Every one may be sent again: done twice it is as if done once.

    survey     look; answered with ``seen``
    stage      write the image to the passive slot and read it back; the slot stays inert
    lease      take the node's lease (ROLLOUT: the rollout's); answered with ``token`` (ROLLOUT: and ``denied``)
    gate       may this node go down now? answered with ``health``, which carries the state of the store
    check      is this node well after it came back? answered with ``health``
    move_leader  hand etcd's leadership to the host in ``detail``
    cordon     no new work may come to the node; what runs stays
    drain      cordon, move the work away, wait until it is gone
    activate   write the ticket, make the passive slot the next to boot, with one try
    reboot     reboot; answered when it was accepted. Never when the boot id is not the expected one
    mark_good  the booted slot is proven; the ticket says so
    revert     undo activate: the booted slot boots next, the other one is inert, the ticket is gone
    roll_back  ticket "rolling back", the old slot boots next, the new one is inert
    undrain    start what drain stopped, uncordon what drain cordoned; the ticket is gone
    release    give the node's lease back
    deny       remember that the version in ``detail`` failed
    before_drain, before_reboot, after_reboot, on_failure: the hooks of the same names
    """

    SURVEY = "survey"
    STAGE = "stage"
    LEASE = "lease"
    GATE = "gate"
    CHECK = "check"
    MOVE_LEADER = "move_leader"
    BEFORE_DRAIN = "before_drain"
    CORDON = "cordon"
    DRAIN = "drain"
    BEFORE_REBOOT = "before_reboot"
    ACTIVATE = "activate"
    REBOOT = "reboot"
    AFTER_REBOOT = "after_reboot"
    MARK_GOOD = "mark_good"
    REVERT = "revert"
    ROLL_BACK = "roll_back"
    ON_FAILURE = "on_failure"
    UNDRAIN = "undrain"
    DENY = "deny"
    RELEASE = "release"


@frozen
class Do:
    """A command. at: not before this moment (monotonic seconds). boot_id: when not "", the boot in which it must be
    done; in another one it is refused with kind "rebooted". token: the fencing token of the node's lease; a node that
    has seen a higher one refuses (kind "fenced"). detail: see Action.
    """

    node: str
    action: Action
    serial: int
    at: float = 0.0
    token: int = 0
    boot_id: str = ""
    detail: str = ""


@frozen
class Did:
    """Done, and read back. changed False: there was nothing to do."""

    node: str
    serial: int
    seen: Observation | None = None
    health: Health | None = None
    token: int = 0
    denied: frozenset[str] = frozenset()


FailureKind = Literal["failed", "unreachable", "busy", "rebooted", "fenced", "identity"]


@frozen
class Failed:
    """Not done, as far as anybody knows.

    kind: failed (the node said no; ``why`` has its words) · unreachable (no answer; perhaps done) · busy (somebody else
    holds the lease; ``why`` says who) · rebooted (the boot is not the expected one) · fenced (a newer controller has
    been here) · identity (host key or machine-id is not the known one).
    """

    node: str
    serial: int
    why: str
    kind: FailureKind = "failed"


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Begin nothing new; finish what is under way safely."""

    why: str


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """The lease of ``node`` (or ROLLOUT) is no longer ours, or could not be kept alive."""

    node: str
    why: str


Happening = Did | Failed | Tick | Stop | LeaseLost
