"""Files that others read while they are written: by rename, flushed to the disk; and locks between processes."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

UNFINISHED = ".new-"
"""What a file is called while it is written. After a crash it stays; ``sweep`` takes it away."""


@contextmanager
def writing(path: Path, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """A stream whose content is ``path`` once the block has ended well; until then ``path`` is what it was."""
    with open_new(path.parent) as stream:
        yield stream
        settle(stream, path, mode)


@contextmanager
def open_new(folder: Path) -> Iterator[IO[bytes]]:
    """A new file in ``folder`` that is gone after the block unless it was settled."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=UNFINISHED)
    try:
        os.close(handle)
        with open(name, "w+b") as stream:
            yield stream
    finally:
        Path(name).unlink(missing_ok=True)


def settle(stream: IO[bytes], path: Path, mode: int = 0o644) -> None:
    """Give a file of ``open_new`` its name, after its content has reached the disk."""
    stream.flush()
    os.fchmod(stream.fileno(), mode)
    os.fsync(stream.fileno())
    os.replace(stream.name, path)
    flush_folder(path.parent)


def write(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Make ``data`` the content of ``path``, all or nothing."""
    with writing(path, mode) as stream:
        stream.write(data)


def flush_folder(folder: Path) -> None:
    """Let a rename in ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(folder: Path) -> None:
    """Remove what a writer that died left below ``folder``. Only for who holds the lock that writers hold."""
    for path in folder.rglob(f"{UNFINISHED}*"):
        path.unlink(missing_ok=True)


@contextmanager
def locked(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock on a folder or file; a process that dies frees it. Calls ``waiting`` if it must wait."""
    if path.is_dir():
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    else:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
