"""A session whose command is a local process: pipes and poll, no threads. Serves ``local`` and ``openssh``."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from typing import IO

from coreops.model import Target
from coreops.transport.become import Launch
from coreops.transport.protocol import Chunk
from coreops.transport.session import Ended, Session

READ_SIZE = 1 << 16
LAST_WORDS = 1.0
SLICE = 0.25
MAX_UNREAD = 64 << 20


class ProcessSession(Session):
    """Talks to a process through its three pipes. ``process`` must be the leader of its own session."""

    def __init__(self, target: Target, started: Launch, process: subprocess.Popen[bytes]) -> None:
        super().__init__(target, started)
        self.process = process
        self._poll = select.poll()
        self._streams: dict[int, IO[bytes]] = {}
        self._owned: list[IO[bytes]] = []
        self._over_since: float | None = None
        self._shut = False
        # nobody may close the pipes while someone uses their numbers: they could be another connection's by then
        self._busy = threading.Lock()
        self._writing = threading.Lock()
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._stdin = process.stdin
        self._stdout = process.stdout
        os.set_blocking(self._stdin.fileno(), False)
        self._watch(process.stdout)
        self._watch(process.stderr)

    def _watch(self, stream: IO[bytes]) -> None:
        os.set_blocking(stream.fileno(), False)
        self._owned.append(stream)
        self._streams[stream.fileno()] = stream
        self._poll.register(stream.fileno(), select.POLLIN)

    def _read(self, timeout: float) -> Chunk | None:
        deadline = time.monotonic() + timeout
        while True:
            left = max(0.0, deadline - time.monotonic())
            with self._busy:
                self._check_open()
                # the process may be gone while its children hold the pipes: look now and then
                for number, _ in self._poll.poll(min(left, SLICE) * 1000) if self._streams else ():
                    chunk = self._take(number)
                    if chunk is not None:
                        return chunk
                self._check_end()
            if left <= 0:
                return None

    def _check_open(self) -> None:
        if self._shut:
            raise Ended(why="the connection was closed by coreops")

    def _take(self, number: int) -> Chunk | None:
        """Read from a readable descriptor; None at its end."""
        try:
            data = os.read(number, READ_SIZE)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if data:
            return Chunk(1 if self._streams[number] is self._stdout else 2, data)
        self._poll.unregister(number)
        del self._streams[number]
        return None

    def _check_end(self) -> None:
        """Raise Ended when the process is gone and its pipes are empty (or held by its children for too long)."""
        if self._streams:
            if self.process.poll() is None:
                return
            self._over_since = self._over_since or time.monotonic()
            if time.monotonic() < self._over_since + LAST_WORDS:
                return
        try:
            status = self.process.wait(LAST_WORDS)
        except subprocess.TimeoutExpired:
            raise Ended(why="the command closed its output") from None
        raise self._ended(status)

    def _ended(self, status: int) -> Ended:
        if status < 0:
            return Ended(None, signal=signal.Signals(-status).name.removeprefix("SIG"))
        return Ended(status)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            with self._writing:
                self._check_open()
                try:
                    view = view[os.write(self._stdin.fileno(), view) :]
                except BlockingIOError:
                    with self._busy:
                        self._make_way()
                except BrokenPipeError:
                    raise Ended(self.process.poll(), "the command takes no more input") from None

    def _make_way(self) -> None:
        """The command's stdin is full. Read what it says meanwhile: it may wait for us to do so."""
        listen = sum(len(chunk.data) for chunk in self._pending) < MAX_UNREAD
        both = self._poll if listen else select.poll()
        stdin = self._stdin.fileno()
        both.register(stdin, select.POLLOUT)
        try:
            events = both.poll(SLICE * 1000)
        finally:
            both.unregister(stdin)
        for number, _ in events:
            chunk = self._take(number) if number != stdin else None
            if chunk is not None:
                self._note(chunk)
                self._pending.append(chunk)

    def close(self) -> None:
        if self._shut:
            return
        self._shut = True
        # first ask, so that ssh and sudo can tell the other side; then insist
        for sign, patience in ((signal.SIGTERM, 0.6), (signal.SIGKILL, 0.3)):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, sign)
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
            break
        else:
            # the kernel is slow to end it, and close() must not be: someone else collects it
            threading.Thread(target=self.process.wait, daemon=True).start()
        with self._writing, self._busy:
            for stream in (self._stdin, *self._owned):
                with contextlib.suppress(OSError):
                    stream.close()


def start(argv: list[str], env: dict[str, str] | None = None, cwd: str | None = None) -> subprocess.Popen[bytes]:
    """Start a process with three pipes in its own session (so that Ctrl-C does not reach it)."""
    return subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env=env,
        cwd=cwd,
        start_new_session=True,
    )
