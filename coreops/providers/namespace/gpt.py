"""The slots of a lab's disk as sfdisk spells them. Pure; which of them boots is for ``coreops.gptprio`` to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coreops.gptprio import SLOT_TYPE, Choice, Slot, choose

__all__ = ["SLOT_TYPE", "Choice", "Slot", "choose", "format_attributes", "parse_attributes", "parse_table"]

_NAMED_BITS = {"RequiredPartition": 0, "NoBlockIOProtocol": 1, "LegacyBIOSBootable": 2}


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
