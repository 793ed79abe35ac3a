"""Ports on loopback that nobody listens on, and that nobody else is given while this process lives.

Below those that the kernel gives to connections: one of these may take a port between its choice and its use. A lock on
a file tells other processes of tests that a port is taken.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

_RANGE = range(13_000, 30_000)
_held: dict[int, int] = {}
_random = random.SystemRandom()


def free_port() -> int:
    """A port that is this process's from now on."""
    folder = Path(tempfile.gettempdir(), f"coreops-test-ports.{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    for port in _random.sample(_RANGE, 1000):
        if port not in _held and _is_free(port) and _take(folder / str(port), port):
            return port
    raise AssertionError("no port is free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _take(path: Path, port: int) -> bool:
    lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return False
    _held[port] = lock
    return True
