"""What a scheduler says of units, in words that are the same for all of them. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    """One unit on one host. host: "" for a unit that is nowhere. service: the template, or what it became there.

    desired: inactive, loaded or launched. done: the scheduler has done what is wanted; a unit that failed, or whose
    node is down, is not waited for. bad: it will not come to run by itself.
    """

    name: str
    service: str
    desired: str
    host: str
    state: str
    done: bool = True
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """All units. unplaced: why those that should be somewhere are nowhere."""

    rows: tuple[Row, ...]
    unplaced: Mapping[str, str] = field(default_factory=dict)
