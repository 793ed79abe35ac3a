"""One virtual machine: switch it on, break it, and say how it is. Every action returns when its effect was read back.

Its state is read from the process and from QEMU, never from memory: whoever started it may be gone. It is started once
however often it is asked for, and a caller that is killed meanwhile leaves a machine that ``state`` finds.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal

from coreops.errors import CoreopsError, InputError
from coreops.providers.namespace.host import locked_folder, wait_until
from coreops.providers.qemu import process, supervisor
from coreops.providers.qemu.argv import CONSOLE, PID, PROGRAM, Vm, argv
from coreops.providers.qemu.qmp import TIMEOUT, ask

State = Literal["running", "frozen", "off", "dead"]
"""off: it switched itself off, or we did; dead: somebody killed its process."""
PACKAGES: Final = {PROGRAM: "qemu-system-x86", "nsenter": "util-linux", "ip": "iproute2"}
_START: Final = 60.0
_TAIL: Final = 12
_GOES_ON: Final = frozenset({"running", "prelaunch", "inmigrate", "postmigrate", "suspended", "shutdown"})


def require() -> None:
    """Refuse where no machine can run. Raises InputError that names the packages."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise InputError(
            "virtual machines need Linux and root" if sys.platform == "linux" else f"this is {sys.platform}, not Linux",
            why="they are on a network of their own, with a bridge and a namespace",
            next="sudo coreops ...; without root, `provider: static` or `command` with machines of your own",
        )
    missing = {program: package for program, package in PACKAGES.items() if shutil.which(program) is None}
    if missing:
        raise InputError(
            f"programs are missing on this machine: {', '.join(sorted(missing))}",
            why="virtual machines are started with them",
            next=f"apt-get install --no-install-recommends {' '.join(sorted(set(missing.values())))}",
        )


def start(vm: Vm, accel: str, timeout: float = _START, groups: Sequence[Path] = ()) -> None:
    """Switch it on; one that is on stays as it is. Raises CoreopsError with QEMU's own words, or its last lines.

    groups: the ``cgroup.procs`` of those that it is to belong to, instead of those of whoever starts it.
    """
    words = argv(vm, accel)
    if vm.nic:
        words = ["nsenter", f"--net=/run/netns/{vm.nic.netns}", *words]
    launch(vm.folder, vm.name, words, timeout, groups)


def launch(folder: Path, name: str, words: Sequence[str], timeout: float = _START, groups: Sequence[Path] = ()) -> None:
    """Switch on what the words of a command line are."""
    with locked_folder(folder):
        if process.holder(folder) is None:
            _launch(folder, name, words, timeout, groups)


def _launch(folder: Path, name: str, words: Sequence[str], timeout: float, groups: Sequence[Path]) -> None:
    own = [str(folder / PID), str(folder / CONSOLE), *map(str, groups)]
    try:
        child = subprocess.Popen(
            # nothing of this environment's packages: it is there for as long as the machine is
            [sys.executable, "-I", "-S", supervisor.__file__, *own, "--", *words],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is for whoever asked for the machine
        )
    except OSError as error:
        raise CoreopsError(f"{sys.executable} cannot be run", where=name, why=error.strerror) from None
    try:
        _, said = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        process.kill(folder)
        raise CoreopsError(f"QEMU did not start the machine within {timeout:g} s", where=name) from None
    # a caller that was killed may have left a machine that was first
    if child.returncode and process.holder(folder) is None:
        raise CoreopsError(
            "QEMU could not start the machine",
            where=name,
            why=said.strip()[-2000:] or f"its supervisor ended with status {child.returncode} and said nothing",
            next=_advice(said),
        )
    if process.holder(folder) is None:
        raise CoreopsError(
            "the machine ended as soon as it was on", where=name, why=tail(folder) or "its console is empty"
        )


def _advice(said: str) -> str:
    """The next step, by what QEMU says."""
    for words, advice in {
        "allocate memory": "give it less memory, or free some on this machine",
        'write" lock': "another process has its disk open: see lsof, and end that",
        "No space left": "free some space on this machine's disk",
        "Device or resource busy": "its tap device is in use by another process: see `ip -all netns exec ip link`",
    }.items():
        if words in said:
            return advice
    return "run the same command again when the cause is gone; nothing runs"


def state(folder: Path) -> State:
    """Say how the machine is."""
    if process.holder(folder) is None:
        return "dead" if process.was_killed(folder) else "off"
    try:
        status = ask(folder, "query-status")["status"]
    except ConnectionError:
        # it ends, or starts
        return "running" if process.holder(folder) is not None else "off"
    return "running" if status in _GOES_ON else "frozen"


def pid(folder: Path) -> int | None:
    """Its process on this machine."""
    return process.holder(folder)


def tail(folder: Path, lines: int = _TAIL) -> str:
    """The last lines of its console."""
    try:
        with (folder / CONSOLE).open("rb") as stream:
            stream.seek(max(stream.seek(0, os.SEEK_END) - 16384, 0))
            text = stream.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.replace("\r", "").splitlines()[-lines:])


def kill(folder: Path) -> None:
    """Cut its power."""
    process.kill(folder)


def powerdown(folder: Path, timeout: float) -> bool:
    """Press the power button and wait; say whether it has switched itself off."""
    try:
        _ask(folder, "system_powerdown")
    except ConnectionError:
        return process.wait_end(folder, timeout)
    return process.wait_end(folder, timeout)


def reset(folder: Path) -> None:
    """Press the reset button."""
    _told(folder, "system_reset")


def freeze(folder: Path) -> None:
    """Stop its processors: it answers nothing any more."""
    _becomes(folder, "frozen", "stop")


def thaw(folder: Path) -> None:
    """Let it go on."""
    _becomes(folder, "running", "cont")


def _ask(folder: Path, command: str) -> Any:
    """Ask it when it listens: after a reset it takes a moment. Raises ConnectionError when it is off."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            return ask(folder, command)
        except ConnectionError:
            if process.holder(folder) is None or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def _told(folder: Path, command: str) -> None:
    try:
        _ask(folder, command)
    except ConnectionError:
        raise InputError("the machine is not running", where=folder.name, next="switch it on first") from None


def _becomes(folder: Path, wanted: State, command: str) -> None:
    """Say it until it is so: one that has just been reset is told to go on by its supervisor."""

    def is_so() -> bool:
        _told(folder, command)
        return state(folder) == wanted

    if not wait_until(is_so, 10.0):
        raise CoreopsError(f"the machine is {state(folder)} and not {wanted}", where=folder.name)
