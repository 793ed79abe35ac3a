"""Runs the real loader in a chosen local shell, so that tests see what a node would do. No SSH.

``ShellTransport("dash")`` starts the loader in that shell. ``cut`` drops a connection as soon as the bytes received
from it contain a marker: the controller never sees the marker, the node has acted already.
"""

from __future__ import annotations

import itertools
import os
import selectors
import subprocess
from collections.abc import Callable, Sequence

import pytest

from coreops.engine.engine import Engine, HostOutcome
from coreops.engine.steps import StepsProgram
from coreops.errors import UnreachableError
from coreops.events import Event
from coreops.model import Step, Target
from coreops.transport.protocol import Chunk

SHELLS = {"dash": ("dash",), "bash": ("bash",), "busybox": ("busybox", "sh")}
EACH_SHELL = ("dash", *(pytest.param(shell, marks=pytest.mark.slow) for shell in ("bash", "busybox")))
"""For ``parametrize``: Debian's sh in the unit tests, the others among the slow ones."""

_runs = itertools.count()


class ShellConnection:
    def __init__(self, shell: Sequence[str], command: str, cut: bytes | None) -> None:
        self.process = subprocess.Popen(
            [*shell, "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        self._cut = cut
        self._seen = b""
        self._selector = selectors.DefaultSelector()
        for number, stream in ((1, self.process.stdout), (2, self.process.stderr)):
            assert stream is not None
            self._selector.register(stream, selectors.EVENT_READ, number)

    def send(self, data: bytes) -> None:
        assert self.process.stdin is not None
        view = memoryview(data)
        try:
            while view:
                view = view[self.process.stdin.write(view) :]
        except (BrokenPipeError, ValueError) as error:
            raise UnreachableError("lost", "connection lost") from error

    def receive(self, timeout: float) -> Chunk | None:
        while self._selector.get_map():
            ready = self._selector.select(timeout)
            if not ready:
                return None
            key = ready[0][0]
            data = os.read(key.fd, 65536)
            if not data:
                self._selector.unregister(key.fileobj)
                continue
            if self._cut is not None:
                self._seen += data
                if self._cut in self._seen:
                    self.close()
                    raise UnreachableError("lost", "connection lost")
            return Chunk(key.data, data)
        raise UnreachableError("lost", "connection lost", why=f"exit {self.process.wait()}")

    def alive(self, timeout: float) -> bool:
        return self.process.poll() is None

    def aside(self, command: str, timeout: float) -> tuple[int, bytes]:
        done = subprocess.run(["dash", "-c", command], capture_output=True, timeout=timeout, check=False)
        return done.returncode, done.stdout

    def close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


class ShellTransport:
    def __init__(self, shell: str = "dash", cuts: Sequence[bytes | None] = ()) -> None:
        self._shell = SHELLS[shell]
        self._cuts = list(cuts)
        self.connections: list[ShellConnection] = []

    def open(self, target: Target, command: str) -> ShellConnection:
        cut = self._cuts.pop(0) if self._cuts else None
        connection = ShellConnection(self._shell, command, cut)
        self.connections.append(connection)
        return connection

    def close(self) -> None:
        for connection in self.connections:
            connection.close()
            connection.process.wait(timeout=60)


def new_run() -> str:
    """A run id that no other test uses."""
    return f"test-{os.getpid()}-{next(_runs)}"


def run_steps(
    steps: Sequence[Step],
    shell: str = "dash",
    *,
    check: bool = False,
    diff: bool = False,
    run: str | None = None,
    cuts: Sequence[bytes | None] = (),
    emit: Callable[[Event], None] = lambda event: None,
    user: str | None = None,
) -> tuple[StepsProgram, HostOutcome]:
    """Run steps on one "host" through engine, compiler and a real shell."""
    program = StepsProgram(steps, check=check, diff=diff, user=user)
    transport = ShellTransport(shell, cuts)
    try:
        with Engine({"h": Target("h", "h")}, emit, run=run or new_run(), transport=transport) as engine:
            return program, engine.drive({"h": program})["h"]
    finally:
        transport.close()
