"""Runs a provider's program: a request on stdin, the answer from stdout, a deadline, its stderr as it comes.

Knows nothing of what is said. The program is a process group of its own: nothing of it outlives its deadline, and a
Ctrl-C at coreops does not tear a request that makes a machine.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from coreops.errors import CoreopsError, InputError
from coreops.events import Emit, Notice

AGAIN = "run the same command again: it goes on from what is there"
_KEPT = 20
_CHUNK = 65536
_LINGER = 1.0


@dataclass(frozen=True, slots=True)
class Program:
    """path: absolute; the program runs in its own folder. timeout: seconds for one answer."""

    path: Path
    timeout: float
    emit: Emit = field(default=lambda event: None)

    @property
    def name(self) -> str:
        return self.path.name

    def ask(self, verb: str, request: bytes, node: str = "") -> tuple[bytes, int, str]:
        """Return stdout, the exit status and the end of stderr. Raises CoreopsError when there is no answer in time."""
        with self._started(verb) as process, _Stderr(process, self.emit, node) as said:
            try:
                data, _ = process.communicate(request, timeout=self.timeout)
            except subprocess.TimeoutExpired:
                _kill(process)
                raise CoreopsError(
                    f"{self.name} did not answer `{verb}` within {self.timeout:g} s",
                    where=node or None,
                    why=said.tail() or None,
                    next=f"{AGAIN}; command_timeout raises the limit",
                ) from None
            except BaseException:
                _kill(process)
                raise
        return data, process.returncode, said.tail()

    def stream(self, verb: str, request: bytes, node: str) -> Iterator[bytes]:
        """Yield stdout as it comes, until the program ends. Raises CoreopsError when it fails."""
        with self._started(verb) as process, _Stderr(process, self.emit, node) as said:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                with suppress(BrokenPipeError), process.stdin as stdin:
                    stdin.write(request)
                while chunk := process.stdout.read1(_CHUNK):  # type: ignore[attr-defined]
                    yield chunk
                with suppress(subprocess.TimeoutExpired):
                    process.wait(self.timeout)
            finally:
                _kill(process)
        if process.returncode > 0:
            raise failed(self.name, verb, process.returncode, said.tail(), node)

    def _started(self, verb: str) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                [str(self.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self.path.parent,
                start_new_session=True,
            )
        except OSError as error:
            raise InputError(
                f"the provider's program cannot be run for `{verb}`",
                where=self.path,
                why=error.strerror,
                next="a program needs `chmod +x`, and a script a first line like #!/bin/sh",
            ) from None


def failed(program: str, verb: str, status: int, stderr: str, node: str = "") -> CoreopsError:
    """The error for a program that failed and did not say why in JSON."""
    how = f"exit status {status}" if status > 0 else f"ended by signal {-status}"
    return CoreopsError(
        f"{program} failed at `{verb}` ({how})",
        where=node or None,
        why=stderr or "it said nothing on stderr",
        next=AGAIN,
    )


class _Stderr:
    """Reads a process's stderr line by line while it runs; what is still open when it has ended is let go."""

    def __init__(self, process: subprocess.Popen[bytes], emit: Emit, node: str) -> None:
        assert process.stderr is not None
        # communicate() must not read it too
        self._stream, process.stderr = process.stderr, None
        self._emit, self._node = emit, node
        self._lines: deque[str] = deque(maxlen=_KEPT)
        self._thread = Thread(target=self._read, daemon=True)

    def __enter__(self) -> _Stderr:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.tail()
        if not self._thread.is_alive():
            self._stream.close()

    def _read(self) -> None:
        for raw in self._stream:
            line = raw.decode("utf-8", "backslashreplace").rstrip("\r\n")
            self._lines.append(line)
            self._emit(Notice(line, self._node))

    def tail(self) -> str:
        """The last lines of a program that has ended. A process it left behind may hold the pipe: it is let go."""
        self._thread.join(_LINGER)
        return "\n".join(list(self._lines)).strip()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the program's whole group. Once it is reaped its number may be another's."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
