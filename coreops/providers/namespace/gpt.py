"""Which slot boots: CoreOS's GPT attribute bits under the rule of GRUB's gptprio. Pure; no disk is touched here.

Bits 48-51 priority, 52-55 tries, 56 successful. Among the slots whose tries are above 0 or that are successful the one
with strictly the highest priority boots; priority 0 never boots, and of equals the lower partition number. A chosen
slot that has tries loses one of them, before it boots.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

SLOT_TYPE = "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6"
_NAMED_BITS = {"RequiredPartition": 0, "NoBlockIOProtocol": 1, "LegacyBIOSBootable": 2}
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


def parse_attributes(text: str) -> int:
    """Read sfdisk's spelling: ``RequiredPartition GUID:48,56``."""
    value = 0
    for word in text.split():
        if word.startswith("GUID:"):
            for bit in word.removeprefix("GUID:").split(","):
                value |= 1 << int(bit)
        else:
            value |= 1 << _NAMED_BITS[word]
    return value


def format_attributes(attributes: int) -> str:
    """Write sfdisk's spelling, the reverse of parse_attributes."""
    words = [name for name, bit in _NAMED_BITS.items() if attributes >> bit & 1]
    rest = [str(bit) for bit in range(64) if attributes >> bit & 1 and bit not in _NAMED_BITS.values()]
    if rest:
        words.append("GUID:" + ",".join(rest))
    return " ".join(words)


def parse_table(table: Mapping[str, Any]) -> tuple[Slot, ...]:
    """Find the slots in the output of ``sfdisk --json``. A partition's number is the end of its node's name."""
    return tuple(
        Slot.from_attributes(
            int(entry["node"][len(entry["node"].rstrip("0123456789")) :]),
            entry.get("name", ""),
            parse_attributes(entry.get("attrs", "")),
        )
        for entry in table["partitiontable"].get("partitions", ())
        if entry["type"].lower() == SLOT_TYPE
    )
