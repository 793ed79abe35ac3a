"""A loss with the place of its key in the file that was read."""

from __future__ import annotations

from dataclasses import dataclass

from coreops.cloudconfig.loss import Loss
from coreops.cloudconfig.marked import Marked
from coreops.model import Position


@dataclass(frozen=True, slots=True)
class Lost:
    """A loss, and where its key is written, where that is in the file."""

    loss: Loss
    at: Position | None

    def __str__(self) -> str:
        return self.loss.told(self.at)


def located(loss: Loss, tree: Marked) -> Lost:
    """The loss with its place."""
    return Lost(loss, loss.place(tree))
