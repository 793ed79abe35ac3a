"""What becomes of a key: lost, or written otherwise. Pure data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from coreops.model import Position


@dataclass(frozen=True, slots=True)
class Loss:
    """A key that the target cannot express. instead: what to do."""

    key: str
    why: str
    instead: str
    at: Position

    def __str__(self) -> str:
        return f"{self.at}: lost: {self.key}: {self.why}" + (f"; {self.instead}" if self.instead else "")


@dataclass(frozen=True, slots=True)
class Note:
    """A key that is not needed there, or works otherwise."""

    key: str
    text: str
    at: Position

    def __str__(self) -> str:
        return f"{self.at}: note: {self.key}: {self.text}"


def unique(found: Iterable[Loss]) -> tuple[Loss, ...]:
    """Each once: the instances of a template have the same file."""
    return tuple({(loss.key, loss.at, loss.why): loss for loss in found}.values())
