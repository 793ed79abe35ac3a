"""Hosts for tests: each is a local shell in a folder of its own, with faults to order. Needs no network and no root.

::

    hosts = FakeTransport(tmp_path, {"n1": Fault(refuse="auth"), "n2": Fault(drop_before=b"two")})
    hosts.open(Target(name="n2", address="n2", transport="fake"), "echo one; echo two; cat")

A host's shell starts in ``<base>/<name>``; HOME, TMPDIR and COREOPS_ROOT point there. Hosts without an entry work.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coreops.errors import UnreachableError, UnreachableKind
from coreops.model import Target
from coreops.transport import failures
from coreops.transport.failures import failure
from coreops.transport.local import LocalConnection, LocalTransport
from coreops.transport.protocol import Chunk


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong on one host. All faults of one connection; ``times``: only on the first so many connections.

    refuse: opening fails with this kind. delay: seconds before every receive. drop_after: the connection is lost after
    so many received bytes. drop_before: lost when these bytes are about to be delivered (the remote command has done
    its work by then). frozen: while it is set nothing is delivered and nothing answers. flood: so many junk bytes on
    stderr first.
    """

    refuse: UnreachableKind | None = None
    delay: float = 0.0
    drop_after: int | None = None
    drop_before: bytes | None = None
    frozen: threading.Event | None = None
    flood: int = 0
    times: int | None = None


@dataclass
class FakeConnection:
    """A local connection behind a faulty wire."""

    inner: LocalConnection
    fault: Fault
    target: Target
    received: int = 0
    sent: int = 0
    seen: bytes = b""
    lost: bool = False
    flood: int = field(init=False)

    def __post_init__(self) -> None:
        self.flood = self.fault.flood

    def send(self, data: bytes) -> None:
        self._check()
        self.inner.send(data)
        self.sent += len(data)

    def receive(self, timeout: float) -> Chunk | None:
        self._check()
        deadline = time.monotonic() + timeout
        if self.fault.delay:
            time.sleep(min(self.fault.delay, timeout))
        while self._is_frozen():
            if time.monotonic() >= deadline:
                return None
            time.sleep(min(0.01, timeout))
        if self.flood:
            junk = min(self.flood, 1 << 16)
            self.flood -= junk
            return Chunk(2, b"x" * junk)
        chunk = self.inner.receive(max(0.0, deadline - time.monotonic()))
        return None if chunk is None else self._deliver(chunk)

    def alive(self, timeout: float) -> bool:
        return not self.lost and not self._is_frozen() and self.inner.alive(timeout)

    def aside(self, command: str, timeout: float) -> tuple[int, bytes]:
        self._check()
        if self._is_frozen():
            raise failure(failures.SILENT, self.target)
        return self.inner.aside(command, timeout)

    def close(self) -> None:
        self.inner.close()

    def _is_frozen(self) -> bool:
        return self.fault.frozen is not None and self.fault.frozen.is_set()

    def _check(self) -> None:
        if self.lost:
            raise failure(failures.LOST, self.target, "fault injected")

    def _deliver(self, chunk: Chunk) -> Chunk:
        """Cut the wire at the ordered place; bytes before it still arrive."""
        data = chunk.data
        if self.fault.drop_after is not None and self.received + len(data) > self.fault.drop_after:
            data = data[: max(0, self.fault.drop_after - self.received)]
            self.lost = True
        marker = self.fault.drop_before
        if marker and chunk.stream == 1:
            joined = self.seen + data
            at = joined.find(marker)
            if at >= 0:
                data = joined[len(self.seen) : at]
                self.lost = True
            self.seen = joined[-len(marker) :]
        if self.lost and not data:
            self._check()
        self.received += len(data)
        return Chunk(chunk.stream, data)


class FakeTransport:
    """Opens shells on imaginary hosts. ``opened`` keeps every connection, for assertions."""

    def __init__(self, base: Path | None = None, faults: Mapping[str, Fault] | None = None) -> None:
        self._temporary = None if base else tempfile.TemporaryDirectory(prefix="coreops-fake-")
        self.base = base or Path(self._temporary.name if self._temporary else "")
        self.faults = dict(faults or {})
        self.opened: list[FakeConnection] = []
        self.attempts: dict[str, int] = {}
        self._lock = threading.Lock()

    def root(self, name: str) -> Path:
        """The folder that is this host's world."""
        path = self.base / name
        (path / "tmp").mkdir(parents=True, exist_ok=True)
        return path

    def open(self, target: Target, command: str) -> FakeConnection:
        with self._lock:
            attempt = self.attempts[target.name] = self.attempts.get(target.name, 0) + 1
        fault = self.faults.get(target.name, Fault())
        if fault.times is not None and attempt > fault.times:
            fault = Fault()
        if fault.refuse is not None:
            raise UnreachableError(fault.refuse, f"{fault.refuse} refused", where=target.name, why="fault injected")
        root = str(self.root(target.name))
        env = {**os.environ, "HOME": root, "TMPDIR": f"{root}/tmp", "COREOPS_ROOT": root}
        connection = FakeConnection(LocalTransport(env, root).open(target, command), fault, target)
        self.opened.append(connection)
        return connection

    def close(self) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()
