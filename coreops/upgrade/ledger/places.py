"""Where the ledger stands: places that keep values under keys and change one only if it is the one that was seen.

Knows no lease. etcd is one place for all keys; without it every node is a place of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from coreops.errors import CoreopsError


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands under a key. mark: set by the place at every write, higher each time, never 0."""

    value: str
    mark: int


@dataclass(frozen=True, slots=True)
class Swap:
    """Put ``value`` (None: nothing) under ``key``, if what stands there has the mark ``seen`` (0: nothing).

    note: another key and its value, written along with it or not at all.
    """

    key: str
    seen: int
    value: str | None
    note: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Swapped:
    """done, or what else stood there. ``cell``: what stands there now, as far as this swap knows."""

    done: bool
    cell: Cell | None


@dataclass(frozen=True, slots=True)
class Seen:
    """The keys of one folder at one place. alive: sessions with a recent sign of life (for leases only)."""

    cells: Mapping[str, Cell]
    alive: frozenset[str] = field(default_factory=frozenset)


class Places(Protocol):
    """All places of one cluster. Each swap stands for itself; its outcome may be lost although it was done."""

    def of(self, key: str) -> tuple[str, ...]:
        """The places where a key must stand."""

    def swap(self, wishes: Sequence[tuple[str, Swap]]) -> Sequence[Swapped | CoreopsError]:
        """Try every (place, swap); the outcomes in the same order."""

    def read(self, folder: str) -> Mapping[str, Seen | CoreopsError]:
        """What stands in a folder at every place, not older than this call."""

    def beat(self, run: str, session: str) -> None:
        """Give a sign of life. Raises CoreopsError."""

    def quiet(self) -> None:
        """Give none any more. Raises CoreopsError."""
