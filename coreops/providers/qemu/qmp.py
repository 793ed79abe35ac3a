"""QEMU's monitor (QMP): one question to one machine, with a deadline. Knows no command's meaning."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from coreops.errors import CoreopsError
from coreops.providers.qemu.argv import QMP

TIMEOUT: Final = 15.0
_LONGEST: Final = 1 << 20


def ask(folder: Path, command: str, timeout: float = TIMEOUT, **arguments: Any) -> Any:
    """Return what a command returns. Raises CoreopsError; ConnectionError when no machine listens or it ends first."""
    deadline = time.monotonic() + timeout
    try:
        with _connected(folder, deadline) as connection:
            said = _objects(connection, deadline)
            next(said)  # the greeting
            _tell(connection, {"execute": "qmp_capabilities"})
            _answer(said, command)
            _tell(connection, {"execute": command, **({"arguments": arguments} if arguments else {})})
            return _answer(said, command)
    except TimeoutError:
        raise CoreopsError(
            f"QEMU did not answer {command!r} within {timeout:g} s",
            where=folder.name,
            next="the machine may be switched off all the same: coreops destroy, or kill the process",
        ) from None


@contextmanager
def _connected(folder: Path, deadline: float) -> Iterator[socket.socket]:
    """The path of a socket may have 107 bytes; by its folder's descriptor it is short."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(max(deadline - time.monotonic(), 0.01))
            try:
                connection.connect(f"/proc/self/fd/{fd}/{QMP}")
            except FileNotFoundError as error:
                raise ConnectionRefusedError(*error.args) from None
            yield connection
    finally:
        os.close(fd)


def _tell(connection: socket.socket, message: Mapping[str, Any]) -> None:
    connection.sendall(json.dumps(message).encode() + b"\n")


def _objects(connection: socket.socket, deadline: float) -> Iterator[Mapping[str, Any]]:
    buffer = b""
    while True:
        line, found, rest = buffer.partition(b"\n")
        if found:
            buffer = rest
            yield json.loads(line)
            continue
        connection.settimeout(max(deadline - time.monotonic(), 0.01))
        chunk = connection.recv(65536)
        if not chunk:
            raise ConnectionResetError("QEMU closed its monitor")
        buffer += chunk
        if len(buffer) > _LONGEST:
            raise ConnectionResetError("QEMU says too much at once")


def _answer(said: Iterator[Mapping[str, Any]], command: str) -> Any:
    """The next answer; events in between are left out."""
    for message in said:
        if "error" in message:
            raise CoreopsError(f"QEMU refused {command!r}", why=str(message["error"].get("desc")))
        if "return" in message:
            return message["return"]
    raise ConnectionResetError("QEMU closed its monitor")
