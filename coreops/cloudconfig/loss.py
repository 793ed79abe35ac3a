"""What a target cannot say. Knows no target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coreops.errors import InputError, counted


@dataclass(frozen=True, slots=True)
class Loss:
    """A key that a target has no equivalent for. instead: what was written in its place, if anything."""

    key: str
    why: str
    instead: str | None = None

    def __str__(self) -> str:
        return f"lost: {self.key} -- {self.why}; " + (f"written as {self.instead}" if self.instead else "not written")


@dataclass(frozen=True, slots=True)
class Rendered:
    """One node's user-data, and what it does not say."""

    data: bytes
    losses: tuple[Loss, ...] = ()


def refuse(losses: Sequence[Loss], target: str, where: object) -> None:
    """Raise InputError when anything is lost."""
    if losses:
        raise InputError(
            f"the target {target} cannot express {counted(len(losses), 'key')} of this node",
            where=where,
            why="\n    ".join(str(loss) for loss in losses),
            next="remove them, or accept the loss with --allow-loss",
        )
