"""A server from its start to Ctrl-C, and the signals on the way. Owns the main thread."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from coreops.errors import CoreopsError
from coreops.serving.server import Server

LOOK: Final = 1.0
"""Seconds between two looks at what is served."""
LEAVE: Final = 5.0
"""Seconds that requests have to finish when the server ends."""
_STOP: Final = (signal.SIGINT, signal.SIGTERM)


def run(
    server: Server,
    reload: Callable[[bool], None],
    tell: Callable[[str], None],
    changed: Callable[[], bool] = lambda: False,
    stopping: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGINT or SIGTERM.

    reload: read everything again; True: also what else SIGHUP asks for. changed: whether there is something new to
    read. stopping: end what waits.
    """
    with _signals() as signals:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True)
        thread.start()
        try:
            while True:
                number = _wait(signals, LOOK)
                if number in _STOP:
                    break
                if changed() or number == signal.SIGHUP:
                    _reload(reload, number == signal.SIGHUP, tell)
        finally:
            stopping()
            server.slots.close(LEAVE)
            server.shutdown()
            thread.join(LEAVE)
            server.server_close()


def _reload(reload: Callable[[bool], None], everything: bool, tell: Callable[[str], None]) -> None:
    try:
        reload(everything)
    except CoreopsError as error:
        tell(f"{error}\n  what was served before is served on")


def _wait(signals: int, seconds: float) -> int:
    """The next signal, 0 when there was none."""
    ready, _, _ = select.select([signals], [], [], seconds)
    return os.read(signals, 1)[0] if ready else 0


@contextmanager
def _signals() -> Iterator[int]:
    """A pipe that signals arrive in: a handler must not take locks."""
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)

    def handle(number: int, frame: FrameType | None) -> None:
        os.write(theirs, bytes([number]))

    before = {number: signal.signal(number, handle) for number in (*_STOP, signal.SIGHUP)}
    try:
        yield ours
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(ours)
        os.close(theirs)
