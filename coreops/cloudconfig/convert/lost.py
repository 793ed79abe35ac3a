"""A loss with the place of its key in the file that was read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from coreops.cloudconfig.convert.parts import text
from coreops.cloudconfig.loss import Loss
from coreops.cloudconfig.marked import Marked
from coreops.model import Position

_STEP = re.compile(r"([A-Za-z0-9_]+)|\[([^\]]*)\]")


@dataclass(frozen=True, slots=True)
class Lost:
    """A loss, and where its key is written, where that is in the file."""

    loss: Loss
    at: Position | None

    def __str__(self) -> str:
        head, dashes, rest = str(self.loss).partition(" -- ")
        return f"{head}{f' ({self.at})' if self.at else ''}{dashes}{rest}"


def located(loss: Loss, tree: Marked) -> Lost:
    """The loss with its place: of ``coreos.units[web.service].runtime`` the unit's, where it has no such key."""
    here, at = tree, None
    for key, name in _STEP.findall(loss.key):
        if key and isinstance(here.value, dict):
            below = here.value.get(key)
        elif isinstance(here.value, tuple):
            below = next((each for each in here.value if name in (text(each, "name"), text(each, "path"))), None)
        else:
            below = None
        if below is None:
            break
        here, at = below, below.key or below.place
    return Lost(loss, at)
