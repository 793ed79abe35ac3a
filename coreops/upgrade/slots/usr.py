"""The driver for CoreOS's layout: two /usr partitions, one of which is booted. Text and data only.

The node's side are the sh files in ``scripts``. They find disk and slots by what is mounted on /usr. What decides which
slot boots they find too: GRUB's gptprio by bits in the partition table (``gptprio.sh``; written with whichever of cgpt,
sfdisk and sgdisk the node has), or systemd-boot by entries on the ESP (``sdboot.sh``). Either is written in an order in
which the node can boot at every moment.
"""

from __future__ import annotations

from pathlib import Path

from coreops.model import Record, ShellStep
from coreops.upgrade.guard import Guard, guarded
from coreops.upgrade.observation import Observation, Ticket
from coreops.upgrade.release import Release
from coreops.upgrade.slots import survey as answer
from coreops.upgrade.slots import ticket as tickets
from coreops.upgrade.slots.protocol import Capability, SlotDriver, Tell
from coreops.upgrade.slots.script import script
from coreops.upgrade.slots.stream import StageProgram

SURVEY = "slots.survey"


def _nobody(done: int, total: int) -> None:
    """Nobody wants to know."""


class UsrSlots:
    """See ``protocol.SlotDriver``."""

    name = "usr"
    capabilities: frozenset[Capability] = frozenset({"streams", "inert", "gated", "falls back"})

    def survey(self) -> ShellStep:
        return ShellStep(id=SURVEY, title="look at the slots", probe=script("survey"), timeout=120.0)

    def read(self, record: Record) -> Observation:
        return answer.read(record)

    def stage(self, release: Release, image: Path, guard: Guard, tell: Tell = _nobody) -> StageProgram:
        return StageProgram(release, image, guard, tell)

    def activate(self, ticket: Ticket, guard: Guard) -> ShellStep:
        text = script(
            "activate", TICKET=tickets.to_text(ticket), SLOT=ticket.slot, SHA256=ticket.sha256, VERSION=ticket.version
        )
        return _step("activate", f"make {ticket.slot} boot next", text, guard)

    def reboot(self, guard: Guard) -> ShellStep:
        return _step("reboot", "reboot", script("reboot"), guard)

    def mark_good(self, guard: Guard) -> ShellStep:
        return _step("mark_good", "mark the booted slot good", script("mark_good"), guard)

    def revert(self, guard: Guard) -> ShellStep:
        return _step("revert", "keep the booted slot", script("revert"), guard)

    def roll_back(self, guard: Guard) -> ShellStep:
        return _step("roll_back", "make the old slot boot next", script("roll_back"), guard)

    def finish(self, guard: Guard) -> ShellStep:
        return _step("finish", "remove the ticket", script("finish"), guard)


def _step(name: str, title: str, text: str, guard: Guard) -> ShellStep:
    return ShellStep(id=f"slots.{name}", title=title, act=guarded(text, guard), timeout=120.0)


def driver() -> SlotDriver:
    """The only driver so far, for every node."""
    return UsrSlots()
