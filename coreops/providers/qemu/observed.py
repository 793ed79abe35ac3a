"""What the disk of a lab's machine says of its slots, read from outside while the machine may run."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from coreops import sdboot
from coreops.errors import CoreopsError
from coreops.gptprio import Slot
from coreops.providers.namespace import disk
from coreops.providers.namespace.disk import MIB, SLOT_NUMBERS, offset
from coreops.providers.namespace.host import run
from coreops.providers.qemu import esp
from coreops.providers.qemu.recipe import LAYOUT

_ENTRIES: Final = "/loader/entries"
_USR: Final = tuple(partition for partition in LAYOUT if partition.number in SLOT_NUMBERS)


def slots(image: Path, firmware: str) -> tuple[Slot, ...]:
    """Read what the firmware decides by. A wrecked table or partition is a state to show, not an error."""
    with suppress(CoreopsError):
        if firmware == "gptprio":
            return disk.read_slots(image)
        return ranked((name, _entry(image, name)) for name in esp.listing(image, _ENTRIES))
    return ()


def _entry(image: Path, name: str) -> str:
    # It may be renamed between the two looks: that is one entry less to see, for a moment.
    at = f"{image}@@{offset(LAYOUT[0].number, LAYOUT)}M"
    return run(["mtype", "-i", at, f"::{_ENTRIES}/{name}"], check=False).stdout


def ranked(files: Iterable[tuple[str, str]]) -> tuple[Slot, ...]:
    """Say loader entries (file, content) in the words of the other firmware: what boots next has the priority. Pure.

    An entry without a count is that of a slot which was marked good.
    """
    entries = [entry for file, text in files if (entry := sdboot.read(file, text))]
    order = [entry.name.upper() for entry in reversed(sdboot.ordered(entries))]
    slots = []
    for partition in _USR:
        entry = next((each for each in sdboot.ordered(entries) if each.name.upper() == partition.label), None)
        priority = order.index(partition.label) + 1 if entry else 0
        tries = (entry.left or 0) if entry else 0
        slots.append(Slot(partition.number, partition.label, priority, tries, entry is not None and entry.left is None))
    return tuple(slots)


def release(image: Path, partition: int) -> str | None:
    """Read the release in a slot, by its file system; None if there is none."""
    at = offset(partition, LAYOUT) * MIB
    told = run(["unsquashfs", "-offset", str(at), "-cat", str(image), "lib/os-release"], check=False).stdout
    fields = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    return fields.get("VERSION_ID", "").strip('"') or None


def label(partition: int) -> str | None:
    """What a slot is called."""
    return next((each.label for each in _USR if each.number == partition), None)
