"""Breaking a node on purpose. Every action returns only when its effect has been read back."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

from coreops.errors import CoreopsError, InputError, did_you_mean
from coreops.providers.namespace import cgroup, network
from coreops.providers.namespace.host import lock_held, wait_until, write_atomically
from coreops.providers.namespace.names import NodeNames
from coreops.providers.namespace.node import launch

# _IOR('X', 125, __u32) with EXT4_GOING_FLAGS_NOLOGFLUSH: the file system stops as if the power had gone.
_EXT4_SHUTDOWN = 0x8004587D
_NO_LOG_FLUSH = 2
_FILLER = ".lab-filler"


def _init(names: NodeNames) -> int:
    pid = cgroup.init_process(names.cgroup)
    if pid is None:
        raise InputError(
            "the node is not running",
            where=names.node,
            next=f"coreops lab chaos {names.node} poweron --name {names.lab.lab}",
        )
    return pid


def _awake(names: NodeNames) -> int:
    pid = _init(names)
    if cgroup.frozen(names.cgroup):
        raise InputError(
            "the node is frozen and cannot do that",
            where=names.node,
            next=f"coreops lab chaos {names.node} thaw --name {names.lab.lab}",
        )
    return pid


def _expect(names: NodeNames, condition: Callable[[], bool], timeout: float, what: str) -> None:
    if not wait_until(condition, timeout):
        raise CoreopsError(
            f"the node {what} within {timeout:g} s",
            where=names.node,
            next=f"coreops lab logs {names.node} --name {names.lab.lab}",
        )


def kill(names: NodeNames) -> None:
    """Cut the power: every process stops at once, and what was not on the disk yet is lost."""
    pid = _init(names)
    write_atomically(names.power_file, "off")
    if not cgroup.frozen(names.cgroup):
        cgroup.freeze(names.cgroup, True)
    fd = os.open(f"/proc/{pid}/root", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(fd, _EXT4_SHUTDOWN, struct.pack("=I", _NO_LOG_FLUSH))
    finally:
        os.close(fd)
    cgroup.kill(names.cgroup)
    _expect(names, lambda: not lock_held(names.lock), 20.0, "did not lose its power")


def freeze(names: NodeNames) -> None:
    """Stop all processes; the network still answers pings, nothing else."""
    _init(names)
    cgroup.freeze(names.cgroup, True)


def thaw(names: NodeNames) -> None:
    """Let frozen processes go on."""
    _init(names)
    cgroup.freeze(names.cgroup, False)


def cut(names: NodeNames) -> None:
    """Unplug the network cable."""
    network.cut(names, True)


def heal(names: NodeNames) -> None:
    """Plug the network cable in again."""
    network.cut(names, False)


def reboot(names: NodeNames) -> None:
    """Ask systemd for a clean reboot. Returns when the old boot has ended."""
    pid = _awake(names)
    os.kill(pid, signal.SIGRTMIN + 5)
    _expect(names, lambda: cgroup.init_process(names.cgroup) != pid, 120.0, "did not go down")


def poweroff(names: NodeNames) -> None:
    """Ask systemd for a clean poweroff. Returns when the node is off."""
    pid = _awake(names)
    os.kill(pid, signal.SIGRTMIN + 4)
    _expect(names, lambda: not lock_held(names.lock), 120.0, "did not switch itself off")


def poweron(names: NodeNames) -> None:
    """Switch the node on. A node that is on stays as it is."""
    if not lock_held(names.lock):
        if cgroup.init_process(names.cgroup) is not None:
            raise InputError("the node runs without its launcher", where=names.node, next="coreops lab up repairs it")
        launch(names)
        _expect(names, lambda: cgroup.init_process(names.cgroup) is not None, 30.0, "did not start")


def fill_disk(names: NodeNames) -> None:
    """Leave no free block on ROOT, not even the reserved ones."""
    folder = os.open(f"/proc/{_awake(names)}/root", os.O_RDONLY | os.O_DIRECTORY)
    try:
        file = os.open(_FILLER, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600, dir_fd=folder)
        try:
            _fill(file)
        finally:
            os.close(file)
    finally:
        os.close(folder)


def _fill(file: int) -> None:
    step = 1 << 30
    while step >= 4096:
        try:
            # Reserves blocks without writing them: the image file on the host does not grow.
            os.posix_fallocate(file, os.fstat(file).st_size, step)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EFBIG):
                raise
            step //= 2


def free_disk(names: NodeNames) -> None:
    """Undo fill-disk."""
    Path(f"/proc/{_awake(names)}/root", _FILLER).unlink(missing_ok=True)


ACTIONS: Mapping[str, Callable[[NodeNames], None]] = {
    "kill": kill,
    "freeze": freeze,
    "thaw": thaw,
    "cut": cut,
    "heal": heal,
    "reboot": reboot,
    "poweroff": poweroff,
    "poweron": poweron,
    "fill-disk": fill_disk,
    "free-disk": free_disk,
}

BOOTS = frozenset({"reboot", "poweron"})
"""After these the node comes up by itself; a caller may wait for that."""


def act(actions: Mapping[str, Callable[[NodeNames], None]], names: NodeNames, action: str) -> None:
    """Do one of the actions. Raises InputError for an unknown one, or one that the node's state does not allow."""
    if action not in actions:
        raise InputError(
            f"unknown chaos action {action!r}",
            why=did_you_mean(action, actions),
            next=f"use one of {', '.join(actions)}",
        )
    actions[action](names)
