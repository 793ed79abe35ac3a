"""The transport for the controller itself (and for tests): ``sh -c`` in a process of its own, sudo when not root."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace

from coreops.model import Target
from coreops.transport import failures
from coreops.transport.become import launch, unlock
from coreops.transport.failures import failure
from coreops.transport.process import ProcessSession, start


class LocalConnection(ProcessSession):
    """One local shell."""

    def __init__(self, target: Target, command: str, env: Mapping[str, str] | None, cwd: str | None) -> None:
        if os.geteuid() == 0:
            target = replace(target, become=False)
        self._env = None if env is None else dict(env)
        self._cwd = cwd
        started = launch(command, target)
        try:
            process = start(["/bin/sh", "-c", started.command], self._env, cwd)
        except OSError as error:
            raise failure(failures.SHELL, target, f"{error.filename}: {error.strerror}") from None
        super().__init__(target, started, process)

    def alive(self, timeout: float) -> bool:
        return not self._shut and self.process.poll() is None

    def aside(self, command: str, timeout: float) -> tuple[int, bytes]:
        deadline = time.monotonic() + timeout
        other = LocalConnection(self.target, command, self._env, self._cwd)
        try:
            unlock(other, other.started, other.target, timeout)
            return other.collect(max(0.0, deadline - time.monotonic()))
        finally:
            other.close()


class LocalTransport:
    """Opens local shells. env and cwd: for tests that need a world of their own."""

    def __init__(self, env: Mapping[str, str] | None = None, cwd: str | None = None) -> None:
        self._env = env
        self._cwd = cwd

    def open(self, target: Target, command: str) -> LocalConnection:
        connection = LocalConnection(target, command, self._env, self._cwd)
        try:
            unlock(connection, connection.started, connection.target, target.connect_timeout)
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Nothing is shared."""
