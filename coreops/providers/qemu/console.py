"""What a machine's serial console tells of its present boot. Knows what ``init.sh`` and systemd write there.

A machine is asked nothing for it: one that hangs, or whose network is cut, has said as much as any other.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Final

POWER_ON: Final = "power is on"
"""The line that the lab itself writes before a machine starts."""
_BEGINNINGS: Final = (POWER_ON.encode(), b"BdsDxe: starting", b"Linux version ")
_SLOT: Final = b"initramfs: booting partition "
_NO_SLOT: Final = b"initramfs: no bootable slot"
_PANIC: Final = b"Kernel panic - not syncing"
_EMERGENCY: Final = b"You are in emergency mode"


@dataclass(frozen=True, slots=True)
class Boot:
    """How far a boot has got. partition: of the slot that was chosen. unbootable: there is none that could be.

    panics: kernels that gave up since the power was switched on.
    """

    partition: int | None = None
    unbootable: bool = False
    emergency: bool = False
    panics: int = 0


def read(log: Path) -> Boot:
    """Read the last boot in a console's log."""
    try:
        with log.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as text:
            return parse(text)
    except (FileNotFoundError, ValueError):  # mmap takes no empty file
        return Boot()


def parse(text: bytes | mmap.mmap) -> Boot:
    """Find the last boot in the text of a console."""
    begin = max(0, *(text.rfind(word) for word in _BEGINNINGS))
    said = text.find(_SLOT, begin)
    digits = bytes(text[said + len(_SLOT) : said + len(_SLOT) + 3]) if said >= 0 else b""
    number = digits[: len(digits) - len(digits.lstrip(b"0123456789"))]
    return Boot(
        partition=int(number) if number else None,
        unbootable=text.find(_NO_SLOT, begin) >= 0,
        emergency=text.find(_EMERGENCY, begin) >= 0,
        panics=_count(text, _PANIC, max(0, text.rfind(POWER_ON.encode()))),
    )


def _count(text: bytes | mmap.mmap, word: bytes, begin: int) -> int:
    count = 0
    while (begin := text.find(word, begin) + 1) > 0:
        count += 1
    return count
