"""Readers of single settings: a YAML value or a flag's text in, a typed value out. Pure; raise ValueError saying why.

Every reader takes the value and the place it came from, though most need no place: so they fit one table.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST = 7 * 86400


@dataclass(frozen=True, slots=True)
class Share:
    """So many nodes, or so many percent of all."""

    number: int
    percent: bool = False

    def of(self, total: int) -> int:
        """Nodes; a percentage is rounded down, but never to none."""
        return max(1, total * self.number // 100) if self.percent else self.number


def text(value: object, where: object = None) -> str:
    """Text that says something."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError(f"it must be a text, found {value!r}")
    return value.strip()


def word(value: object, where: object = None) -> str:
    """A name; a number is one as well (``zone: 1``)."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)


def boolean(value: object, where: object = None) -> bool:
    """Yes or no, as YAML has it."""
    if not isinstance(value, bool):
        raise ValueError(f"it must be true or false, found {value!r}")
    return value


def reason(value: object, where: object = None) -> str:
    """true, false, or why."""
    if isinstance(value, bool):
        return "the inventory says upgrade_exclude" if value else ""
    return text(value)


def number(least: int) -> Callable[[object, object], int]:
    """A reader of whole numbers that are not below ``least``."""

    def read(value: object, where: object = None) -> int:
        if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,9}", str(value), re.ASCII) or int(str(value)) < least:
            raise ValueError(f"it must be a whole number, {least} or more, found {value!r}")
        return int(str(value))

    return read


def share(value: object, where: object = None) -> Share:
    """``2`` or ``"10%"``."""
    found = None if isinstance(value, bool) else re.fullmatch(r"([0-9]{1,9})(%?)", str(value).strip(), re.ASCII)
    if found is None:
        raise ValueError(f"it must be a number of nodes or a percentage of all of them, found {value!r}")
    made = Share(int(found[1]), bool(found[2]))
    if made.number == 0:
        raise ValueError("with 0 no node could ever be upgraded; 1 is the most careful")
    if made.percent and made.number > 100:
        raise ValueError(f"{value} is more than all nodes")
    return made


def duration(value: object, where: object = None) -> float:
    """Seconds: ``90``, ``"90s"``, ``"10m"``, ``"1h30m"``, ``"2d"``; up to a week."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        seconds = _spelt(str(value)) if isinstance(value, str) else -1.0
    if not 0 <= seconds <= _LONGEST:
        raise ValueError(f'it must be a time like 90, "90s", "10m" or "1h30m", up to 7 days, found {value!r}')
    return seconds


def patience(value: object, where: object = None) -> float:
    """A duration that is not 0."""
    seconds = duration(value)
    if seconds == 0:
        raise ValueError("it must be longer than 0 s")
    return seconds


def _spelt(text: str) -> float:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?|([0-9]{1,9}[smhd])+", text.strip(), re.ASCII):
        return -1.0
    return sum(float(amount) * _UNITS[unit] for amount, unit in re.findall(r"([0-9.]+)([smhd]?)", text))
