"""Getting a byte stream to an SSH server: a TCP connection, a ProxyCommand, or a channel through a jump host.

Knows sockets and deadlines; speaks no SSH itself.
"""

from __future__ import annotations

import contextlib
import ipaddress
import queue
import socket
import struct
import subprocess
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any

from coreops.transport.trouble import STALL, Late, LinkDown

if TYPE_CHECKING:
    from coreops.transport.link import Link
    from coreops.transport.pipe import Pipe


def connect(host: str, port: int, timeout: float) -> socket.socket:
    """Connect, trying every address of the name. Raises OSError (gaierror for names, TimeoutError)."""
    deadline = time.monotonic() + timeout
    problem: OSError | None = None
    for family, kind, proto, _, address in _addresses(host, port, timeout):
        sock = socket.socket(family, kind, proto)
        try:
            sock.settimeout(max(0.001, deadline - time.monotonic()))
            sock.connect(address)
        except OSError as error:
            sock.close()
            problem = error
            continue
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tune(sock)
        return sock
    raise problem or socket.gaierror(socket.EAI_NONAME, "no address")


def tune(sock: socket.socket) -> None:
    """Block on reads (they are polled first), and give up on writes that make no progress."""
    sock.settimeout(None)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(STALL), 0))


def _addresses(host: str, port: int, timeout: float) -> list[Any]:
    try:
        version = 0 if "%" in host else ipaddress.ip_address(host).version
    except ValueError:
        version = 0
    if not version:
        return _resolve(host, port, timeout)
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    return [(family, socket.SOCK_STREAM, 0, "", (host, port))]


def _resolve(host: str, port: int, timeout: float) -> list[Any]:
    """getaddrinfo with a deadline; it has none of its own, so it gets a thread that may be left behind."""
    answer: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answer.put(error if isinstance(error, OSError) else socket.gaierror(socket.EAI_NONAME, str(error)))

    threading.Thread(target=ask, daemon=True).start()
    try:
        found = answer.get(timeout=timeout)
    except queue.Empty:
        raise socket.gaierror(socket.EAI_AGAIN, f"no answer from the resolver in {timeout:g} s") from None
    if isinstance(found, OSError):
        raise found
    return list(found)


class ProxyCommand:
    """A program whose stdin and stdout are the connection."""

    def __init__(self, command: str) -> None:
        ours, theirs = socket.socketpair()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the program
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._errors,
                start_new_session=True,
            )
        finally:
            theirs.close()
        tune(ours)
        self.sock = ours

    def said(self) -> str:
        """What the program wrote to stderr."""
        self._errors.seek(0)
        return self._errors.read(2000).decode("utf-8", "replace").strip()

    def close(self) -> None:
        self.sock.close()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(0.3)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._errors.close()


class Forwarded:
    """A TCP connection that a jump host made for us, with the few socket methods the layers above need."""

    def __init__(self, link: Link, pipe: Pipe) -> None:
        self._link = link
        self._pipe = pipe
        self._rest = b""

    def _arrived(self) -> bool:
        return bool(self._pipe.chunks) or bool(self._pipe.closed) or bool(self._pipe.eof_received)

    def wait_readable(self, timeout: float) -> bool:
        try:
            return bool(self._rest) or self._link.wait(self._pipe, self._arrived, timeout)
        except LinkDown as error:
            raise EOFError(f"jump host: {error}") from None

    def recv(self, size: int) -> bytes:
        while not self._rest:
            if self._pipe.chunks:
                self._rest = self._pipe.take().data
            elif self._arrived():
                return b""
            else:
                self.wait_readable(STALL)
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def send(self, data: memoryview) -> int:
        try:
            return self._link.put(self._pipe, data, STALL)
        except Late:
            raise TimeoutError from None
        except LinkDown as error:
            raise BrokenPipeError(f"jump host: {error}") from None

    def settimeout(self, timeout: float | None) -> None:
        """Waiting is done by wait_readable."""

    def close(self) -> None:
        with contextlib.suppress(LinkDown):
            self._pipe.close()
        self._link.forget(self._pipe)
