"""SSH packets from a socket without a reader thread: bytes are buffered until a whole packet is here.

paramiko's Packetizer blocks in the middle of a packet for as long as the peer likes; here a caller can ask whether a
packet is complete, so that waiting has a deadline. Knows paramiko's packet format, no messages.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from paramiko import SSHException
from paramiko.packet import Packetizer

from coreops.transport.trouble import STALL, Stalled

READ_SIZE = 1 << 16
MAX_PACKET = 1 << 18


class Packets(Packetizer):
    """A Packetizer with its own buffer. ``stall``: seconds a peer may pause in the middle of a packet."""

    stall = STALL

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self._sock = sock
        self._inbox = bytearray()
        self._held: list[bytes] | None = None
        self._length_is_clear = True
        self._mac_size = 0
        self._block = 8
        family = getattr(sock, "family", None)
        self._acknowledge = family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_QUICKACK")
        # a jump channel is no file descriptor and waits by itself
        self._wait = getattr(sock, "wait_readable", None) or _poller(sock)

    def set_inbound_cipher(self, *args: Any, **kwargs: Any) -> None:
        super().set_inbound_cipher(*args, **kwargs)
        self._length_is_clear = bool(kwargs.get("etm") or kwargs.get("aead"))
        self._mac_size = kwargs["mac_size"]
        self._block = kwargs["block_size"]

    def ready(self) -> bool:
        """Say whether ``read_message`` will return without waiting (with old ciphers: whether a packet has begun)."""
        have = len(self._inbox)
        if not self._length_is_clear:
            return have >= self._block
        if have < 4:
            return False
        length = int.from_bytes(self._inbox[:4], "big")
        if length > MAX_PACKET:
            raise SSHException("Invalid packet length")
        return have >= 4 + length + self._mac_size

    def fill(self, timeout: float) -> bool:
        """Wait for bytes and buffer them; False when none came. Raises EOFError, OSError."""
        if self._acknowledge and not self._wait(0.0):
            # sshd leaves Nagle on until the shell runs: its next packet waits for our acknowledgement of the last one
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        if not self._wait(timeout):
            return False
        data = self._sock.recv(READ_SIZE)
        if not data:
            raise EOFError
        self._inbox += data
        return True

    def banner_line(self) -> bytes | None:
        """Take one line sent before the first packet, or None when none is complete."""
        end = self._inbox.find(b"\n")
        if end < 0:
            if len(self._inbox) > 8192:
                raise SSHException("no SSH banner")
            return None
        line = bytes(self._inbox[:end])
        del self._inbox[: end + 1]
        return line.rstrip(b"\r")

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        while len(self._inbox) < n:
            if not self.fill(self.stall):
                raise Stalled("the peer stopped in the middle of a packet")
        out = bytes(self._inbox[:n])
        del self._inbox[:n]
        return out

    @contextmanager
    def together(self) -> Iterator[None]:
        """Send what is written meanwhile at once: sshd wakes up for every write."""
        with self._Packetizer__write_lock:  # type: ignore[attr-defined]  # reentrant; packets keep their order
            self._held = []
            try:
                yield
            finally:
                held, self._held = self._held, None
            self.write_all(b"".join(held))

    def write_all(self, out: Any) -> None:
        if self._held is not None:
            self._held.append(out)
            return
        view = memoryview(out)
        while view:
            try:
                sent = self._sock.send(view)
            except (BlockingIOError, TimeoutError):
                raise Stalled("the peer takes no more bytes") from None
            except OSError as error:
                raise EOFError(str(error)) from None
            if sent <= 0:
                raise EOFError
            view = view[sent:]

    def start_handshake(self, timeout: float) -> None:
        """No timer thread: the caller has the deadline."""

    def complete_handshake(self) -> None:
        """See start_handshake."""


def _poller(sock: socket.socket) -> Any:
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)

    def wait(timeout: float) -> bool:
        return bool(poll.poll(max(0.0, timeout) * 1000))

    return wait
