"""What was asked, by whom, and what became of it: one JSON object a line. Never content, never a token.

Every value is JSON in ASCII, so nothing that a machine sends can begin a line of its own.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from coreops.errors import InputError


@dataclass(frozen=True, slots=True)
class Entry:
    """One request. selector: what it said it is. token: the beginning of its token's hash. bytes: sent of the body."""

    peer: str
    selector: str = ""
    node: str = ""
    path: str = ""
    method: str = ""
    status: int = 0
    outcome: str = ""
    bytes: int = 0
    token: str = ""


class Audit:
    """A file that is only added to. Raises InputError when it cannot be opened."""

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = path
        self._now = now
        self._lock = threading.Lock()
        self._handle = self._open()
        self.trouble = ""
        """Why the last line could not be written; "" when it was."""

    def write(self, entry: Entry) -> None:
        """Add a line. When it cannot be, ``trouble`` says why: what cannot be recorded must not be served."""
        time = self._now().isoformat(timespec="milliseconds")
        line = json.dumps({"time": time} | asdict(entry)).encode() + b"\n"
        with self._lock:
            try:
                written = os.write(self._handle, line)
                if written < len(line):
                    # The disk is full: end the broken line, so that the next one is whole.
                    os.write(self._handle, b"\n")
                    raise OSError(0, "the disk took only a part of the line")
            except OSError as error:
                self.trouble = f"{self._path}: {error.strerror}"
            else:
                self.trouble = ""

    def reopen(self) -> None:
        """Go on in a new file, after the old one was moved away. Raises InputError; the old one then stays open."""
        new = self._open()
        with self._lock:
            os.close(self._handle)
            self._handle = new

    def close(self) -> None:
        """No more lines."""
        with self._lock:
            os.close(self._handle)

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise InputError("cannot write the audit log", where=self._path, why=error.strerror) from None
