"""What the engine drives a host through. Pure: segments out, records in.

The engine knows no playbook: a play's host program, an ad-hoc command and the etcd membership logic are all Programs.
"""

from __future__ import annotations

from typing import Protocol

from coreops.frozen import frozen
from coreops.model import Record, Segment


@frozen
class Wait:
    """Nothing to send until another host of the play has got further (``hosts``: which ones).

    turn: differs from that of the wait before when the program has moved in between.
    """

    hosts: frozenset[str]
    why: str
    turn: int = 0


class Program(Protocol):
    """One host's way through one play (or one ad-hoc list of steps)."""

    def next(self) -> Segment | Wait | None:
        """Return the next segment to send, a Wait, or None when there is nothing (more) to do."""

    def feed(self, record: Record) -> None:
        """Take one record of the last segment. Records come in step order; a failed one may be the last."""

    @property
    def failure(self) -> str | None:
        """Why this host has failed, or None."""

    @property
    def failed_fatally(self) -> bool:
        """Did it fail in a way that must stop the other hosts too?"""

    def abandon(self) -> None:
        """The host will get no further (unreachable, stopped): nobody shall wait for it."""
