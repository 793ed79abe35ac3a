"""What all connections share: remembering stderr, and turning the end of a command into the right error.

Knows the protocol and sudo's words; knows no SSH and no process. Subclasses move the bytes.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque

from coreops.errors import UnreachableError
from coreops.model import Target
from coreops.transport import failures
from coreops.transport.become import Launch, sudo_cause
from coreops.transport.protocol import Chunk

STDERR_KEPT = 4096
MAX_ASIDE = 4 << 20


class Ended(Exception):
    """The command is over. status None: nobody said how. Internal to the transports."""

    def __init__(self, status: int | None = None, why: str = "", signal: str = "") -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.signal = signal


class Session(ABC):
    """One running command. ``_read`` and ``_write`` are the transport's; the rest is the same for all."""

    def __init__(self, target: Target, started: Launch) -> None:
        self.target = target
        self.started = started
        self._pending: deque[Chunk] = deque()
        self._stderr = bytearray()
        self._spoke = False

    @abstractmethod
    def _read(self, timeout: float) -> Chunk | None:
        """Return bytes, or None after ``timeout``. Raises Ended, or UnreachableError when the connection broke."""

    @abstractmethod
    def _write(self, data: bytes) -> None:
        """Write all bytes. Raises Ended, or UnreachableError when the connection broke."""

    @abstractmethod
    def close(self) -> None:
        """Idempotent, never raises."""

    def unread(self, chunk: Chunk) -> None:
        """Give a chunk back; the next ``receive`` returns it."""
        self._pending.append(chunk)

    def send(self, data: bytes) -> None:
        try:
            self._write(data)
        except Ended as end:
            self._drain_stderr()
            raise self._failure(end) from None

    def receive(self, timeout: float) -> Chunk | None:
        if self._pending:
            return self._pending.popleft()
        try:
            chunk = self._read(timeout)
        except Ended as end:
            raise self._failure(end) from None
        if chunk is not None:
            self._note(chunk)
        return chunk

    def collect(self, timeout: float) -> tuple[int, bytes]:
        """Read until the command ends; return exit status (-1 for a signal) and stdout."""
        deadline = time.monotonic() + timeout
        out = bytearray()
        while True:
            try:
                chunk = self._pending.popleft() if self._pending else self._read(max(0.0, deadline - time.monotonic()))
            except Ended as end:
                if end.status is None and not end.signal:
                    raise self._failure(end) from None
                cause = sudo_cause(self._stderr.decode("utf-8", "replace")) if self.target.become and not out else None
                if cause:
                    raise failures.failure(cause, self.target, self._said(end)) from None
                return (-1 if end.status is None else end.status), bytes(out)
            if chunk is None:
                raise failures.failure(failures.SILENT, self.target, f"no end of a short command in {timeout:g} s")
            self._note(chunk)
            if chunk.stream == 1:
                out += chunk.data
            if len(out) > MAX_ASIDE:
                raise failures.failure(failures.ENDED, self.target, "a short command wrote too much")

    def _note(self, chunk: Chunk) -> None:
        if chunk.stream == 1:
            self._spoke = True
            return
        self._stderr += chunk.data
        del self._stderr[:-STDERR_KEPT]

    def _drain_stderr(self) -> None:
        """The pipe broke while we wrote; its reason is still on its way."""
        deadline = time.monotonic() + 1.0
        try:
            while (left := deadline - time.monotonic()) > 0:
                chunk = self._read(left)
                if chunk is not None:
                    self._note(chunk)
        except (Ended, UnreachableError):
            return

    def _said(self, end: Ended) -> str:
        said = bytes(self._stderr)
        for token in filter(None, (self.started.prompt, self.started.ready)):
            said = said.replace(token, b"")
        stderr = said.decode("utf-8", "replace").strip()
        status = f"killed by signal {end.signal}" if end.signal else f"exit status {end.status}"
        parts = (end.why, "" if end.status is None and not end.signal else status, stderr)
        return "; ".join(part for part in parts if part)

    def _failure(self, end: Ended) -> UnreachableError:
        why = self._said(end)
        if not self._spoke and end.status not in (None, 0):
            cause = sudo_cause(self._stderr.decode("utf-8", "replace")) if self.target.become else None
            if cause:
                return failures.failure(cause, self.target, why)
            if end.status in (126, 127):
                return failures.failure(failures.SHELL, self.target, why)
        return failures.failure(failures.ENDED, self.target, why)
