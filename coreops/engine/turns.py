"""Who sleeps until whom has moved, during a drive. Knows hosts by name, no programs and no connections.

Every move has a number. A host that is about to sleep says up to which number it knows the world, so that nothing that
happened meanwhile is missed; only those who wait for the host that moved are woken.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable


class Turns:
    """Thread-safe. A move of a host that nobody waits for costs next to nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = 0
        self._moves: dict[str, int] = {}
        self._calls: dict[str, int] = {}
        self._asleep: dict[str, threading.Event] = {}
        self._awaited: dict[str, list[threading.Event]] = {}
        self._ended = False

    @property
    def now(self) -> int:
        """The number of the last move."""
        return self._now

    def move(self, host: str, calls: Iterable[str] = ()) -> None:
        """``host`` got further, or ended. calls: hosts it begins to wait for, which may have to do something for it."""
        with self._lock:
            self._now += 1
            self._moves[host] = self._now
            wake = self._awaited.pop(host, [])
            for other in calls:
                self._calls[other] = self._now
                wake += [self._asleep[other]] if other in self._asleep else []
        for event in wake:
            event.set()

    def moved(self, host: str, others: Iterable[str], since: int) -> bool:
        """Has one of the others moved after ``since``, or called for this host?"""
        return self._calls.get(host, 0) > since or any(self._moves.get(other, 0) > since for other in others)

    def sleep(self, host: str, others: Iterable[str], since: int) -> None:
        """Return as soon as ``moved``, or after ``end``."""
        event = threading.Event()
        with self._lock:
            if self._ended or self.moved(host, others, since):
                return
            self._asleep[host] = event
            for other in others:
                self._awaited.setdefault(other, []).append(event)
        event.wait()
        with self._lock:
            self._asleep.pop(host, None)

    def end(self) -> None:
        """Nobody sleeps any more."""
        with self._lock:
            self._ended = True
            wake = list(self._asleep.values())
        for event in wake:
            event.set()
