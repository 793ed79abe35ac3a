"""What a scheduler must be able to do so that nodes can be upgraded under it. Pure.

Rules that every adapter keeps, and ``tests/upgrade/drain`` shows for the ones there are:

- Every step may run twice, and after a crash or a reboot in between; done twice it is as if done once.
- ``cordon`` remembers, on the node and before it changes anything, what ``uncordon`` will have to undo. What somebody
  else had cordoned or stopped is not remembered, so ``uncordon`` leaves it as it was.
- A cordon survives a reboot: nothing comes back by itself before ``uncordon``.
- ``drain`` succeeds only when the work is gone. When it does not go within the time it was given, the step fails and
  says what is left; nothing is killed beyond what the work's own stop timeout does.
- All steps that change something stand behind the guard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from coreops.model import Record, ShellStep
from coreops.upgrade.guard import Guard


@dataclass(frozen=True, slots=True)
class Drained:
    """How far a drain is. left: what still runs, each with its state; () when the node is empty."""

    left: tuple[str, ...] = ()
    error: str = ""

    def __bool__(self) -> bool:
        return not self.left and not self.error


class Drain(Protocol):
    """Steps for one node, to be run on that node. The first failed record says why it did not work."""

    def cordon(self, guard: Guard) -> Sequence[ShellStep]:
        """No new work may come to the node; remember what to undo."""

    def drain(self, guard: Guard, patience: float) -> Sequence[ShellStep]:
        """Send the work away and wait until it is gone, ``patience`` seconds at most. Runs after ``cordon``."""

    def drained(self) -> ShellStep:
        """A question: what is left?"""

    def read(self, record: Record) -> Drained:
        """The answer to ``drained``."""

    def uncordon(self, guard: Guard, patience: float) -> Sequence[ShellStep]:
        """Undo what ``cordon`` and ``drain`` did, whoever sent them, and forget it. Succeeds when there is nothing."""
