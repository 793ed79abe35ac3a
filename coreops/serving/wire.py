"""One connection's bytes within limits: so much to read, so long for all of it. A dripping peer gains nothing."""

from __future__ import annotations

import contextlib
import fcntl
import io
import socket
import struct
import termios
import time
from typing import Final, Literal

CHUNK: Final = 16 << 10
"""A record of TLS: of what is sent by more than one, nobody knows how much went out when it fails."""


Ending = Literal["delivered", "in doubt", "not sent"]
"""in doubt: the peer may have all of it. not sent: it has nothing."""


class TooLarge(Exception):
    """The peer sent more than it may."""


class Reader(io.RawIOBase):
    """Reads at most ``most`` bytes until ``deadline``. Raises TimeoutError, TooLarge."""

    def __init__(self, connection: socket.socket, most: int, deadline: float) -> None:
        self._connection = connection
        self._left = most
        self._deadline = deadline
        self.ended = False
        """Whether more was wanted after the peer's last byte."""

    def readable(self) -> bool:
        """It reads."""
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """Fill a part of ``buffer``; 0 at the end."""
        if self._left <= 0:
            raise TooLarge
        wait(self._connection, self._deadline)
        count = self._connection.recv_into(memoryview(buffer)[: self._left])
        self._left -= count
        self.ended = self.ended or not count
        return count


class Writer:
    """Writes until ``deadline`` and counts. Raises TimeoutError, OSError."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self.count = 0

    def write(self, data: bytes) -> None:
        """Write all of it."""
        left = memoryview(data)
        while left:
            wait(self._connection, self._deadline)
            sent = self._connection.send(left[:CHUNK])
            self.count += sent
            left = left[sent:]

    def flush(self) -> None:
        """Nothing is kept back."""


def wait(connection: socket.socket, deadline: float) -> None:
    """Let the next call on the connection take until ``deadline``."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)


def ending(connection: socket.socket, deadline: float) -> Ending:
    """Say that this was all, and see whether it arrived: a peer that read it all closes, one that did not resets.

    One that does neither, or closed its side before, has got it when its system has confirmed every byte.
    """
    try:
        connection.shutdown(socket.SHUT_WR)
        while True:
            wait(connection, deadline)
            if not connection.recv(CHUNK):
                break
        while (left := _unconfirmed(connection)) > 0 and time.monotonic() < deadline:
            if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                return "in doubt"
            time.sleep(0.01)
        failed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return "in doubt" if failed or left > 0 else "delivered"
    except TimeoutError:
        return "delivered" if _unconfirmed(connection) == 0 else "in doubt"
    except OSError:
        return "in doubt"


def drain(connection: socket.socket, most: int, seconds: float) -> None:
    """Read what nobody wants, so that closing does not take the answer from the peer."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + seconds
        while most > 0:
            wait(connection, deadline)
            data = connection.recv(CHUNK)
            if not data:
                return
            most -= len(data)


def _unconfirmed(connection: socket.socket) -> int:
    """Bytes that the peer's system has not confirmed; -1 where nobody can say."""
    try:
        # SIOCOUTQ, which Linux calls TIOCOUTQ for a socket too
        return int(struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0" * 4))[0])
    except OSError:
        return -1
