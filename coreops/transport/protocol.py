"""The transport protocol: open a command on a host, move bytes both ways, close. Knows nothing of frames or steps.

One connection is one authenticated SSH connection with one channel that runs one command (the loader). Four
implementations (paramiko, openssh, local, fake) pass one conformance suite, ``tests/transport/conformance.py``.
"""

from __future__ import annotations

from typing import Literal, Protocol

from coreops.frozen import frozen
from coreops.model import Target


@frozen
class Chunk:
    """Bytes from the remote command. stream 1 is stdout, 2 is stderr."""

    stream: Literal[1, 2]
    data: bytes


class Connection(Protocol):
    """An open channel to one running command. Used by one thread; ``aside`` and ``close`` may come from another."""

    def send(self, data: bytes) -> None:
        """Write all bytes to the command's stdin. Raises UnreachableError(kind "lost")."""

    def receive(self, timeout: float) -> Chunk | None:
        """Return the next bytes of either stream, or None after ``timeout`` seconds without any.

        Bytes of both streams keep arriving until the command has ended; then raises UnreachableError(kind "lost", or
        "sudo", "shell" when the command could not even start), with its stderr and exit status in ``why``.
        """

    def alive(self, timeout: float) -> bool:
        """Ask the peer's SSH layer for an answer (keepalive) and say whether one came within ``timeout`` seconds."""

    def aside(self, command: str, timeout: float) -> tuple[int, bytes]:
        """Run a short command beside the loader, with the same privileges; return exit status and stdout.

        Used to stop or kill the loader. Raises UnreachableError.
        """

    def close(self) -> None:
        """Close channel and connection. Idempotent, never raises, never waits longer than a second."""


class Transport(Protocol):
    """Opens connections. Thread-safe."""

    def open(self, target: Target, command: str) -> Connection:
        """Connect to ``target``, check its host key strictly, authenticate, and start ``command``.

        ``command`` is a POSIX sh command line; when ``target.become`` it is run under sudo by the transport. Does not
        wait for output: a loader that fails to start shows in ``receive``. Raises UnreachableError with the stage as
        ``kind``, within ``target.connect_timeout`` seconds for each of connect, key exchange and authentication.
        Raises InputError for a target that no attempt could reach (missing key file, unknown transport).
        """

    def close(self) -> None:
        """Release what is shared between connections (jump hosts, masters)."""
