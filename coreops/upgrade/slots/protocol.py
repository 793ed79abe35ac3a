"""What the rest of the upgrade asks of a slot driver. A driver makes steps and reads records; it runs nothing.

Every step may be sent again: done twice it is as if done once. What each one promises is said by ``protocol.Action``.
The words of the field map so: probe = survey, verify = survey again, rollback = roll_back.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

from coreops.engine.program import Program
from coreops.model import Record, ShellStep
from coreops.upgrade.guard import Guard
from coreops.upgrade.observation import Observation, Ticket
from coreops.upgrade.release import Release

Capability = Literal["streams", "inert", "gated", "falls back"]
"""streams: coreops sends the image. inert: a staged slot is not booted by an unrelated reboot. gated: a slot becomes
good only when coreops says so. falls back: a slot that does not come up is left for the old one without help."""

Tell = Callable[[int, int], None]
"""Called with how many bytes of the image file are safely in the slot, and how many there are."""


class SlotDriver(Protocol):
    """One kind of slots."""

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> frozenset[Capability]: ...

    def survey(self) -> ShellStep:
        """Look at the node. Changes nothing, needs no guard."""

    def read(self, record: Record) -> Observation:
        """Read the survey's record; drained and cordoned stay False. Raises HostFailed with what is wrong."""

    def stage(self, release: Release, image: Path, guard: Guard, tell: Tell = ...) -> Program:
        """Bring the image into the passive slot, going on where an earlier attempt ended; ends with it read back."""

    def activate(self, ticket: Ticket, guard: Guard) -> ShellStep:
        """Write the ticket, then make its slot the next to boot, with one try.

        With ``ticket.sha256`` "" the slot must hold ``ticket.version`` already.
        """

    def reboot(self, guard: Guard) -> ShellStep:
        """Have the node reboot a moment after it has answered."""

    def mark_good(self, guard: Guard) -> ShellStep:
        """Make the booted slot the one that boots from now on; the ticket says "good"."""

    def revert(self, guard: Guard) -> ShellStep:
        """Undo activate on a node that runs from the old slot. Without a ticket there is nothing to undo."""

    def roll_back(self, guard: Guard) -> ShellStep:
        """Make the slot that is not the ticket's boot next and the ticket's slot inert; the ticket says so."""

    def finish(self, guard: Guard) -> ShellStep:
        """Remove the ticket."""
