"""What a run may take: how many hosts fit into the window of this controller, how many bytes a second it may send."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable

_MOST = 256
_RESERVED = 64
_PER_HOST = 4  # a socket, a jump channel, pipes of a child


def default_forks() -> int:
    """Raise the soft limit of open files to the hard one; return how many hosts that allows, at most 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (ValueError, OSError):
            pass  # some systems refuse "unlimited"; the soft limit stands
    if soft == resource.RLIM_INFINITY:
        return _MOST
    return max(1, min(_MOST, (soft - _RESERVED) // _PER_HOST))


class Pace:
    """Holds senders back so that all of them together stay at ``rate`` bytes a second. Thread-safe.

    A sender that was idle may not catch up on what it did not send: the time of the next send only moves forward.
    """

    def __init__(
        self, rate: int, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at = clock()

    def __call__(self, size: int) -> None:
        """Wait until ``size`` more bytes may be sent."""
        with self._lock:
            now = self._clock()
            wait = self._free_at - now
            self._free_at = max(self._free_at, now) + size / self._rate
        if wait > 0:
            self._sleep(wait)
