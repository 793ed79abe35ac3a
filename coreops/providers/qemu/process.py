"""A machine's process, found again by the lock that it holds on its pid file for as long as it lives: its supervisor.

The kernel says who holds the lock, so a number that another process has got meanwhile is never taken for it. It takes
its pid file away when the machine goes off; a file without a lock is that of a process which was killed. QEMU ends with
it, and has the file with a lock of the other kind until it has.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
from pathlib import Path
from typing import Final

from coreops.errors import CoreopsError
from coreops.providers.namespace.host import wait_until
from coreops.providers.qemu.argv import PID

# struct flock of 64-bit Linux: l_type, l_whence, l_start, l_len, l_pid
_FLOCK: Final = "hhqqi4x"


def holder(folder: Path) -> int | None:
    """The process of the machine; None when there is none."""
    try:
        fd = os.open(folder / PID, os.O_RDWR)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(fd, fcntl.F_GETLK, asked))
    finally:
        os.close(fd)
    return None if kind == fcntl.F_UNLCK else int(pid)


def was_killed(folder: Path) -> bool:
    """Say whether the last process of the machine ended without a word."""
    return (folder / PID).exists() and holder(folder) is None


def kill(folder: Path, timeout: float = 20.0) -> None:
    """End the machine at once, and return when nothing of it is left. Nothing happens when there is none."""
    pid = holder(folder)
    if pid is not None:
        _kill(folder, pid, timeout)
    if not wait_until(lambda: _forgotten(folder, pid), timeout, 0.01):
        raise CoreopsError(
            "the machine's supervisor was killed, and its QEMU does not end",
            where=folder.name,
            next=f"see who has {folder / PID} open (lsof), and end that",
        )


def _forgotten(folder: Path, killed: int | None) -> bool:
    """Take the pid file away once nobody has it, unless the machine was switched on anew meanwhile."""
    try:
        fd = os.open(folder / PID, os.O_RDWR)
    except (FileNotFoundError, NotADirectoryError):
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # held, it stays where it is; but it may have been another one's when it was opened
        there = os.path.samestat(os.fstat(fd), os.stat(folder / PID))
        if there:
            (folder / PID).unlink()
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return holder(folder) not in (None, killed)
    finally:
        os.close(fd)
    return there


def _kill(folder: Path, pid: int, timeout: float) -> None:
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        # between the two looks the number may have gone to another process
        if holder(folder) != pid:
            return
        signal.pidfd_send_signal(process, signal.SIGKILL)
        if not _ended(process, timeout):
            raise CoreopsError(f"process {pid} was killed and does not end", where=folder.name, why="see its wchan")
    finally:
        os.close(process)


def wait_end(folder: Path, timeout: float) -> bool:
    """Wait until the process has ended; say whether it has."""
    pid = holder(folder)
    if pid is None:
        return True
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return holder(folder) != pid or _ended(process, timeout)
    finally:
        os.close(process)


def _ended(process: int, timeout: float) -> bool:
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(timeout * 1000))
