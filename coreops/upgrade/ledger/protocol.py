"""What the ledger holds and what can be asked of it. Knows no etcd, no files, no connections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from coreops.errors import RefusedError

FORMAT = 1
TTL = 60
"""Seconds after its last sign of life from which a holder counts as silent, if it has not asked for more. Silence alone
frees nothing.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One holder's right to disrupt one node (or, as ``@rollout``, to run a rollout at all).

    owner: user@host of the controller. pid, home: its process, and the machine, boot and start time that make the
    number mean something. session: this very process, drawn at random; a resumed run has another one. boot_id: of the
    leased node when it was leased. since, renewed: UTC. phase: what the holder is doing to the node. token: rises with
    every acquisition. extra: fields that this version does not know and keeps. alive: the holder gave a sign of life
    within ``TTL`` before this was read; silent: seconds since its last one.
    """

    node: str
    run: str
    owner: str
    pid: int = 0
    home: str = ""
    session: str = ""
    boot_id: str = ""
    reason: str = ""
    since: str = ""
    renewed: str = ""
    token: int = 0
    phase: str = ""
    format: int = FORMAT
    extra: Mapping[str, Any] = field(default_factory=dict)
    alive: bool = field(default=True, compare=False)
    silent: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """A version that must not be installed again. node: where it failed, "" when an operator said so."""

    version: str
    node: str
    reason: str
    by: str
    run: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """Something that was decided over a holder's or a gate's head. what: "force-release", "deny" or "clear-denial".

    subject: the node or the version. had: what stood there before.
    """

    what: str
    subject: str
    by: str
    run: str
    at: str
    reason: str
    had: Mapping[str, Any] = field(default_factory=dict)


class Busy(RefusedError):
    """Somebody else holds the lease."""

    def __init__(self, lease: Lease, *, next: str | None = None) -> None:
        super().__init__(f"{lease.node} is leased by {describe(lease)}", next=next or "coreops locks explain says more")
        self.lease = lease


class Ledger(Protocol):
    """All of it for one controller process. Safe to use from several threads, which then wait for each other.

    Every method raises UnreachableError when the ledger could not be asked; nothing may be assumed then, and every
    method can be called again: what an answer that was lost had done is found and recognised.
    """

    def acquire(self, node: str, *, reason: str, boot_id: str = "", takes_over: frozenset[str] = frozenset()) -> Lease:
        """Take the lease; again is the same lease. A lease of a run in ``takes_over`` is taken from it, with a higher
        token, unless that run still gives signs of life. Raises Busy.
        """

    def renew(self) -> tuple[Lease, ...]:
        """Give a sign of life for all leases of this process; return those that are no longer ours, each once."""

    @property
    def unheard(self) -> frozenset[str]:
        """The places (nodes, where they keep the ledger) that did not answer the last ``renew``, when none did."""

    def note(self, node: str, phase: str) -> None:
        """Write into our lease what we are about to do. What cannot be written now goes with the next ``renew``."""

    def release(self, node: str) -> None:
        """Give the lease back, if it is still ours."""

    def close(self) -> None:
        """No more signs of life from this process; its leases stay."""

    def held(self) -> tuple[Lease, ...]:
        """All leases of everybody, by node."""

    def force_release(self, node: str, reason: str) -> AuditRecord:
        """Take a lease from its holder, alive or not, and record it. Raises InputError when nobody holds it."""

    def deny(self, version: str, node: str, reason: str) -> None:
        """Deny a version. One that is denied already stays as it is."""

    def denied(self) -> tuple[Denial, ...]:
        """All denied versions."""

    def clear_denial(self, version: str, reason: str = "") -> AuditRecord:
        """Allow a version again. Raises InputError when it is not denied."""

    def audit(self) -> tuple[AuditRecord, ...]:
        """What was forced, denied and cleared, oldest first."""


def describe(lease: Lease) -> str:
    """The holder in half a sentence: who, since when, how long silent, doing what."""
    who = f"{_line(lease.owner)} (run {_line(lease.run)})" if lease.run else _line(lease.owner)
    heard = "alive" if lease.alive else f"silent for {ago(lease.silent)}"
    doing = f", doing: {_line(lease.phase)}" if lease.phase else ""
    return f"{who} since {lease.since or 'an unknown time'}, {heard}{doing}"


def ago(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h 5 min``, ``2 d 4 h``."""
    left = max(0, int(seconds))
    if left < 90:
        return f"{left} s"
    for size, unit, small, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if left >= size:
            rest = left % size // small
            return f"{left // size} {unit}" + (f" {rest} {part}" if rest else "")
    return f"{left // 60} min"


def _line(text: str) -> str:
    return " ".join(text.split())
