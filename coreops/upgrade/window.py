"""Maintenance windows: when a node may be taken away. Pure: wall-clock seconds in, wall-clock seconds out.

A window speaks local time: days on which it opens, a start, an end, a time zone. Each opening is one stretch of real
time between two resolved instants: a start or an end that the clocks skip is the first moment that exists after it; in
an hour that comes twice a window starts the first time and ends the second time. An end at or before its start is on
the day after.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import count
from zoneinfo import ZoneInfo, available_timezones

from coreops.errors import InputError, did_you_mean

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NUMBERS = {name.lower(): n for names in (DAYS, _LONG) for n, name in enumerate(names)}
_SHAPE = re.compile(r"(?:([A-Za-z][A-Za-z, -]*?)\s+)?(\d\d?:\d\d)\s*-\s*(\d\d?:\d\d)(?:\s+(\S+))?", re.ASCII)
_MIDNIGHT = 24 * 60
_DAY = 86400.0
_FAR = 8 * _DAY
_EPOCH = date(1970, 1, 1).toordinal()
_EXAMPLE = 'write it like "Sat 02:00-05:00 Europe/Berlin", "Mon-Fri 22:00-04:00 UTC" or "daily 01:00-03:00"'


@dataclass(frozen=True, slots=True)
class Window:
    """days: 0 is Monday. start, end: minutes after midnight, end up to 1440. zone: an IANA name."""

    days: frozenset[int]
    start: int
    end: int
    zone: str = "UTC"

    @classmethod
    def parse(cls, text: str, where: object = None) -> Window:
        """Read ``[DAYS] HH:MM-HH:MM [ZONE]``; no days: daily, no zone: UTC. Raises InputError."""
        found = _SHAPE.fullmatch(text.strip())
        if found is None:
            raise InputError(f"{text!r} is not a maintenance window", where=where, next=_EXAMPLE)
        days, start, end, zone = found.groups()
        window = cls(_days(days or "daily", where), _minutes(start, where), _minutes(end, where), zone or "UTC")
        if window.start == _MIDNIGHT:
            raise InputError(f"the window {text!r} starts at 24:00", where=where, next="write 00:00 of the next day")
        if window.start == window.end:
            why = f"it ends at {end}, the moment it starts"
            next_ = "write 00:00-24:00 for a whole day"
            raise InputError(f"the window {text!r} can never open", where=where, why=why, next=next_)
        _check_zone(window.zone, where)
        return window

    def __str__(self) -> str:
        return f"{_days_text(self.days)} {_clock(self.start)}-{_clock(self.end)} {self.zone}"

    def contains(self, wall: float) -> bool:
        """Whether the window is open at this moment; the end is outside."""
        return any(start <= wall < end for start, end in self._around(wall))

    def closes(self, wall: float) -> float | None:
        """When it closes; None when it is closed. Openings without a gap between them count as one; one that goes on
        for more than a week is said to close after a week or so.
        """
        return closes_at((self,), wall) if self.contains(wall) else None

    def opens(self, wall: float) -> float:
        """The first moment at or after ``wall`` at which it is open: ``wall`` itself when it is."""
        if self.contains(wall):
            return wall
        today = datetime.fromtimestamp(wall, ZoneInfo(self.zone)).toordinal()
        following = (_opening(self, today + n) for n in count(-1))
        return next(opening[0] for opening in following if opening and opening[0] >= wall)

    def _around(self, wall: float) -> tuple[tuple[float, float], ...]:
        return _near(self, int(wall // _DAY))


def open_at(windows: Sequence[Window], wall: float) -> bool:
    """Whether any window is open; without windows it always is."""
    return not windows or any(window.contains(wall) for window in windows)


def closes_at(windows: Sequence[Window], wall: float) -> float | None:
    """When the last of the windows that follow each other without a gap closes: ``wall`` itself when none is open.
    None: never, there are no windows.
    """
    if not windows:
        return None
    at = wall
    while at < wall + _FAR:
        ends = [end for window in windows for start, end in window._around(at) if start <= at < end]
        if not ends:
            break
        at = max(ends)
    return at


def opens_at(windows: Sequence[Window], wall: float) -> float:
    """The first moment at or after ``wall`` at which any window is open."""
    return min((window.opens(wall) for window in windows), default=wall)


def changes_at(windows: Sequence[Window], wall: float) -> float:
    """The next moment at which it opens, or when it is open, closes; ``wall`` when it never does."""
    return (closes_at(windows, wall) if open_at(windows, wall) else opens_at(windows, wall)) or wall


@lru_cache(maxsize=1024)
def _near(window: Window, day: int) -> tuple[tuple[float, float], ...]:
    """The openings that a moment of this day after the epoch, in UTC, may lie in: local days begin up to a day before
    or after it, and an opening may have begun the day before.
    """
    today = _EPOCH + day
    return tuple(opening for n in range(-3, 3) if (opening := _opening(window, today + n)))


@lru_cache(maxsize=4096)
def _opening(window: Window, day: int) -> tuple[float, float] | None:
    """The opening that begins on the local day with this ordinal; None when there is none or the clocks skip it."""
    first = date.fromordinal(day)
    if first.weekday() not in window.days:
        return None
    zone = ZoneInfo(window.zone)
    last = first + timedelta(days=window.end <= window.start)
    start, end = _instant(first, window.start, zone, fold=0), _instant(last, window.end, zone, fold=1)
    return (start, end) if start < end else None


def _instant(day: date, minutes: int, zone: ZoneInfo, fold: int) -> float:
    wanted = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)
    found = wanted.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None, fold=0) == wanted:
        return found.timestamp()
    # In a gap, the offset from after the change (fold 1) leads to before it, and the one from before to after it.
    low, high = (int(wanted.replace(tzinfo=zone, fold=fold).timestamp()) for fold in (1, 0))
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).replace(tzinfo=None) < wanted:
            low = middle
        else:
            high = middle
    return float(high)


def _minutes(text: str, where: object) -> int:
    hours, minutes = (int(part) for part in text.split(":"))
    if minutes > 59 or hours * 60 + minutes > _MIDNIGHT:
        raise InputError(f"{text} is not a time of day", where=where, next="write 00:00 to 24:00")
    return hours * 60 + minutes


def _days(text: str, where: object) -> frozenset[int]:
    if text.lower() == "daily":
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.split(","):
        ends = [_day(word, where) for word in part.split("-")]
        if len(ends) > 2:
            raise InputError(f"{part.strip()!r} is not a range of days", where=where, next=_EXAMPLE)
        length = (ends[-1] - ends[0]) % 7
        found.update((ends[0] + n) % 7 for n in range(length + 1))
    return frozenset(found)


def _day(word: str, where: object) -> int:
    number = _NUMBERS.get(word.strip().lower())
    if number is None:
        near = did_you_mean(word.strip().capitalize(), ["daily", *(name.capitalize() for name in _NUMBERS)])
        raise InputError(
            f"{word.strip()!r} is not a day", where=where, next=near or f"write one of {', '.join(DAYS)}, daily"
        )
    return number


def _check_zone(zone: str, where: object) -> None:
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, LookupError) as error:
        near = did_you_mean(zone, available_timezones()) or "write an IANA name like Europe/Berlin, or UTC"
        raise InputError(f"{zone!r} is not a time zone", where=where, next=near) from error


def _days_text(days: frozenset[int]) -> str:
    if len(days) == 7:
        return "daily"
    firsts = [n for n in sorted(days) if n - 1 not in days]
    lasts = [n for n in sorted(days) if n + 1 not in days]
    return ",".join(DAYS[a] if a == b else f"{DAYS[a]}-{DAYS[b]}" for a, b in zip(firsts, lasts, strict=True))


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
