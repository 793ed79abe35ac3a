"""Which slot boots: CoreOS's GPT attribute bits under the rule of GRUB's gptprio. Pure; knows no disk and no tool.

Bits 48-51 priority, 52-55 tries, 56 successful. Among the slots whose tries are above 0 or that are successful the one
with strictly the highest priority boots; priority 0 never boots, and of equals the lower partition number. A chosen
slot that has tries loses one of them, before it boots.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

SLOT_TYPE = "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6"
_OURS = (0xF << 48) | (0xF << 52) | (1 << 56)


@dataclass(frozen=True, slots=True)
class Slot:
    """One USR partition and what its attribute bits say. other: attribute bits that are none of gptprio's business."""

    number: int
    label: str
    priority: int
    tries: int
    successful: bool
    other: int = 0

    @classmethod
    def from_attributes(cls, number: int, label: str, attributes: int) -> Slot:
        return cls(
            number,
            label,
            priority=attributes >> 48 & 0xF,
            tries=attributes >> 52 & 0xF,
            successful=bool(attributes >> 56 & 1),
            other=attributes & ~_OURS,
        )

    @property
    def attributes(self) -> int:
        return self.other | self.priority << 48 | self.tries << 52 | int(self.successful) << 56

    def __str__(self) -> str:
        return f"{self.label} priority={self.priority} tries={self.tries} successful={int(self.successful)}"


@dataclass(frozen=True, slots=True)
class Choice:
    """The slot that boots, as it must stand on the disk before it does. changed: a try was eaten."""

    slot: Slot
    changed: bool


def choose(slots: Iterable[Slot]) -> Choice | None:
    """Apply gptprio's rule. None: no slot can boot."""
    best: Slot | None = None
    for slot in sorted(slots, key=lambda s: s.number):
        if (slot.tries or slot.successful) and slot.priority > (best.priority if best else 0):
            best = slot
    if best is None:
        return None
    if best.tries:
        return Choice(replace(best, tries=best.tries - 1), changed=True)
    return Choice(best, changed=False)
