"""Which slots are good and which one boots next, from what the node says of GPT bits or of boot entries. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from coreops import gptprio, sdboot


@dataclass(frozen=True, slots=True)
class Choice:
    """good: partition numbers of the slots that boot by themselves whenever it is their turn. next: of the slot that
    boots next, 0 for none; then stranger is what boots instead, "" for nothing.
    """

    good: frozenset[int]
    next: int = 0
    stranger: str = ""


def from_bits(slots: Sequence[str], entries: Sequence[str]) -> Choice:
    """slots: NUMBER PRIORITY TRIES SUCCESSFUL."""
    rows = (map(int, line.split()) for line in slots)
    found = [gptprio.Slot(number, "", p, t, bool(s)) for number, p, t, s in rows]
    chosen = gptprio.choose(found)
    good = frozenset(slot.number for slot in found if slot.successful and slot.priority)
    return Choice(good, chosen.slot.number if chosen else 0)


def from_entries(slots: Sequence[str], entries: Sequence[str]) -> Choice:
    """slots: NUMBER NAME. entries: "file NAME" and then "text LINE" for each line of it."""
    numbers = {name: int(number) for number, _, name in (line.partition(" ") for line in slots)}
    texts: dict[str, list[str]] = {}
    file = ""
    for line in entries:
        key, _, rest = line.partition(" ")
        if key == "file":
            file = rest
        texts.setdefault(file, []).extend([rest] if key == "text" else [])
    found = [entry for file, text in texts.items() if (entry := sdboot.read(file, "\n".join(text)))]
    counted = {entry.name.lower() for entry in found if entry.left is not None}
    good = {entry.name.lower() for entry in found} - counted
    chosen = sdboot.choose(found)
    number = numbers.get(chosen.name.lower(), 0) if chosen else 0
    return Choice(
        frozenset(numbers[name] for name in good & numbers.keys()),
        number,
        chosen.file if chosen and not number else "",
    )


READERS: Mapping[str, Callable[[Sequence[str], Sequence[str]], Choice]] = {
    "gptprio": from_bits,
    "sdboot": from_entries,
}
