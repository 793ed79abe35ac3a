"""A simulated node: two slots with their GPT bits, what coreops left on it, and what it answers. Knows no time, no
network and no coordinator: the world calls it, and it changes.

What coreops does to a node's disk is done here as the slot driver does it, but without the driver's own refusals: the
simulator is to show that the coordinator alone is safe.
"""

from __future__ import annotations

from dataclasses import replace

from coreops.upgrade.observation import Observation, Ticket
from coreops.upgrade.rehearse.images import Image

BOARD = "amd64-usr"
SLOTS = ("A", "B")
STRANGER = "id-stranger"
"""The machine-id of a machine that is none of ours."""


class Slot:
    """One USR partition: its bits and what is in it. image None: nothing that could boot."""

    __slots__ = ("image", "priority", "successful", "tries")

    def __init__(self, image: Image | None, priority: int, tries: int, successful: bool) -> None:
        self.image, self.priority, self.tries, self.successful = image, priority, tries, successful

    @property
    def bootable(self) -> bool:
        """By its bits; the firmware does not look further."""
        return self.priority > 0 and (self.tries > 0 or self.successful)

    @property
    def known_good(self) -> bool:
        """Marked good, and truly able to boot."""
        return self.priority > 0 and self.successful and self.image is not None and self.image.behaviour.boots

    def bits(self, priority: int, tries: int, successful: bool) -> None:
        self.priority, self.tries, self.successful = priority, tries, successful

    def __str__(self) -> str:
        version = self.image.version if self.image else "-"
        return f"{version} p{self.priority} t{self.tries} s{int(self.successful)}"


class Machine:
    """One node. ``boots`` counts its boots; up: the kernel runs; sshd: it answers; since: when it came up.

    drained: coreops cordoned it; drain_done: and the work is gone. pending: a reboot was accepted and has not happened.
    """

    __slots__ = (
        "blockers",
        "board",
        "boot_id",
        "booted",
        "boots",
        "coming",
        "cordoned",
        "dead",
        "drain_done",
        "drained",
        "failed_units",
        "fence",
        "host_key",
        "machine_id",
        "member",
        "name",
        "pending",
        "since",
        "slots",
        "sshd",
        "staged",
        "staging",
        "sudo",
        "ticket",
        "up",
        "zone",
    )

    def __init__(self, name: str, image: Image, zone: str = "", member: bool = False) -> None:
        self.name, self.zone, self.member = name, zone, member
        self.slots = [Slot(image, 1, 0, True), Slot(None, 0, 0, False)]
        self.booted = 0
        self.boots = 1
        self.boot_id = f"{name}#1"
        self.machine_id = f"id-{name}"
        self.host_key = True
        self.sudo = True
        self.board = BOARD
        self.up = self.sshd = True
        self.dead = False
        self.coming = 0
        self.since = -86400.0
        self.pending = False
        self.ticket: Ticket | None = None
        self.staged = ""
        self.staging = False
        self.fence = 0
        self.drained = self.drain_done = self.cordoned = False
        self.failed_units: tuple[str, ...] = ()
        self.blockers: tuple[str, ...] = ()

    @property
    def here(self) -> Slot:
        """The booted slot."""
        return self.slots[self.booted]

    @property
    def other(self) -> Slot:
        """The passive slot."""
        return self.slots[1 - self.booted]

    @property
    def version(self) -> str:
        return self.here.image.reports if self.here.image else ""

    def choice(self) -> int | None:
        """What the firmware would boot: GRUB's gptprio rule. Of equals the lower one; None: nothing."""
        a, b = self.slots
        if a.bootable:
            return 1 if b.bootable and b.priority > a.priority else 0
        return 1 if b.bootable else None

    def start(self) -> Image | None:
        """The firmware runs: choose, eat a try, boot. None: nothing can."""
        chosen = self.choice()
        if chosen is None:
            return None
        self.booted = chosen
        if self.here.tries:
            self.here.tries -= 1
        self.boots += 1
        self.boot_id = f"{self.name}#{self.boots}"
        self.pending = self.staging = False
        return self.here.image

    def observe(self, now: float) -> Observation:
        here, other = self.here, self.other
        chosen = self.choice()
        return Observation(
            machine_id=self.machine_id,
            boot_id=self.boot_id,
            version=self.version,
            board=self.board,
            slot=SLOTS[self.booted],
            passive=SLOTS[1 - self.booted],
            good=here.successful,
            next="" if chosen is None else SLOTS[chosen],
            fallback=other.successful and other.priority > 0,
            passive_version=other.image.reports if other.image and (other.bootable or self.staged) else "",
            passive_size=1 << 30,
            staged=self.staged,
            ticket=self.ticket,
            drained=self.drained,
            cordoned=self.cordoned,
            failed_units=self.failed_units,
            blockers=self.blockers,
            uptime=now - self.since,
        )

    # What the slot driver does. Each converges when it is done again.

    def begin_staging(self) -> None:
        """The passive slot becomes inert before its first byte is written."""
        self.other.bits(0, 0, False)
        self.other.image = None
        self.staged = ""
        self.staging = True

    def end_staging(self, image: Image) -> bool:
        """Written and read back. False: what was read is not what was sent."""
        self.staging = False
        if not image.behaviour.arrives:
            return False
        self.other.image = image
        self.staged = image.sha256
        return True

    def activate(self, ticket: Ticket, sha256: str) -> str:
        """The ticket first, then the bits. Returns what speaks against it."""
        if self.staged != sha256:
            return f"slot {SLOTS[1 - self.booted]} does not hold the image"
        if self.other.image is None:
            return f"slot {SLOTS[1 - self.booted]} holds nothing that could boot"
        self.ticket = ticket
        self.other.bits(2, 1, False)
        self.here.priority = 1
        return ""

    def mark_good(self) -> None:
        self.here.bits(2, 0, True)
        if self.other.priority:
            self.other.priority = 1
        if self.ticket:
            self.ticket = replace(self.ticket, stage="good")

    def revert(self) -> None:
        self.here.priority = 2
        self.other.bits(0, 0, False)
        self.ticket = None

    def roll_back(self, ticket: Ticket) -> None:
        old = self.slots[1 - SLOTS.index(ticket.slot)]
        new = self.slots[SLOTS.index(ticket.slot)]
        self.ticket = replace(ticket, stage="rolling back", boot_id=self.boot_id)
        old.bits(2, 0, True)
        new.bits(0, 0, False)
