"""What a target cannot say, and where its key is written. Knows no target."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from coreops.cloudconfig.marked import Marked
from coreops.errors import InputError, counted
from coreops.model import Position

_STEP: Final = re.compile(r"([A-Za-z0-9_]+)|\[([^\]]*)\]")
_NAMES: Final = ("path", "name", "device", "label")


@dataclass(frozen=True, slots=True)
class Loss:
    """A key that a target has no equivalent for. instead: what was written in its place, if anything."""

    key: str
    why: str
    instead: str | None = None

    def __str__(self) -> str:
        return self.told(None)

    def told(self, at: Position | None) -> str:
        """One line, with the place of the key."""
        place = f" ({at})" if at else ""
        became = f"written as {self.instead}" if self.instead else "not written"
        return f"lost: {self.key}{place} -- {self.why}; {became}"

    def place(self, tree: Marked) -> Position | None:
        """Where the key is written: of ``coreos.units[a.service].runtime`` the unit, where it has no such key."""
        here, at = tree, None
        for key, name in _STEP.findall(self.key):
            below = _below(here, key, name)
            if below is None:
                break
            here, at = below, below.key or below.place
        return at


@dataclass(frozen=True, slots=True)
class Rendered:
    """One node's user-data, and what it does not say."""

    data: bytes
    losses: tuple[Loss, ...] = ()


def _below(here: Marked, key: str, name: str) -> Marked | None:
    if key and isinstance(here.value, dict):
        return next((each for written, each in here.value.items() if str(written).replace("-", "_") == key), None)
    if name and isinstance(here.value, tuple):
        return next((each for each in here.value if name in _named(each)), None)
    return None


def _named(item: Marked) -> list[object]:
    return [item.value[key].value for key in _NAMES if key in item.value] if isinstance(item.value, dict) else []


def refuse(losses: Sequence[Loss], target: str, host: str, tree: Marked) -> None:
    """Raise InputError when anything of a host's node is lost."""
    if losses:
        raise InputError(
            f"the target {target} cannot express {counted(len(losses), 'key')} of this node",
            where=f"host {host}",
            why="\n    ".join(loss.told(loss.place(tree)) for loss in losses),
            next="remove them, or accept the loss with --allow-loss",
        )
