"""Keeps one virtual machine on: starts QEMU, starts it anew when the guest has reset, and ends when the machine is off.

    python -I -S supervisor.py PID-FILE CONSOLE CGROUP-FILE... -- QEMU ...

Anew, since an emulator that has run for a while keeps the code that it translated and the pages that its guest ever
touched: another boot in it costs a multiple of one in a new process. What a reset keeps is in files: disk, variables.

The machine *is* this process, by its lock on the pid file; QEMU ends with it, by the kernel, and has the file from it
with a lock of the other kind (flock), which says whether anything of the machine is left. Whoever takes the file away
holds that one. There is one such process a machine for as long as it is on, so it knows nothing of the package.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType

ON = "on"
"""What the caller is told when the machine is; anything else is why it is not."""
RESETS = frozenset({"guest-reset", "host-qmp-system-reset"})
PACE = 1.0
"""Seconds from one start to the next at the least: a guest that resets at once must not keep this machine busy."""
LEFT = 20.0
"""Seconds that a QEMU whose supervisor was killed may take to end."""
# A guest can reset before anybody has asked for events, so it stands still until somebody has.
_CONTROL = ("-no-reboot", "-S", "-chardev", "stdio,id=life,signal=off", "-mon", "chardev=life,mode=control")
_HELLO = b'{"execute": "qmp_capabilities"}\n{"execute": "cont", "id": "on"}\n'
_PR_SET_PDEATHSIG = 1
_TAIL = 4096


class Refused(Exception):
    """There is no machine, and why."""


def lock(path: str) -> int:
    """Be the machine: return the pid file, locked in both ways. Raises Refused when another is."""
    deadline = time.monotonic() + LEFT
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refused("another process switches the machine on just now") from None
        while not _flocked(file):
            if time.monotonic() > deadline:
                raise Refused(f"the QEMU of an earlier start does not end: it has {path} open, see lsof")
            time.sleep(0.02)
        if _is_at(file, path):
            os.ftruncate(file, 0)
            os.write(file, b"%d\n" % os.getpid())
            return file
        os.close(file)  # it was taken away between the two


def _flocked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(file: int, path: str) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(file), there)


@dataclass
class Qemu:
    """One QEMU from its start to its end. reason: the event's, for a machine that went off; None for a process."""

    words: Sequence[str]
    file: int
    on: Callable[[], None]
    reason: str | None = None
    said: bytes = b""
    _line: bytes = b""

    def start(self) -> subprocess.Popen[bytes]:
        parent, prctl = os.getpid(), ctypes.CDLL(None, use_errno=True).prctl

        def end_with_parent() -> None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

        try:
            return subprocess.Popen(
                [*self.words, *_CONTROL],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(self.file,),
                preexec_fn=end_with_parent,
            )
        except OSError as error:
            raise Refused(f"{self.words[0]} cannot be run: {error.strerror}") from None

    def follow(self, process: subprocess.Popen[bytes]) -> None:
        """Read until it ends."""
        assert process.stdin
        assert process.stdout
        assert process.stderr
        with suppress(BrokenPipeError):  # it has ended already, and says why
            process.stdin.write(_HELLO)
            process.stdin.flush()
        with selectors.DefaultSelector() as ready:
            ready.register(process.stdout, selectors.EVENT_READ, self._told)
            ready.register(process.stderr, selectors.EVENT_READ, self._grumbled)
            while ready.get_map():
                for key, _ in ready.select():
                    chunk = os.read(key.fd, 65536)
                    if chunk:
                        key.data(chunk)
                    else:
                        ready.unregister(key.fileobj)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            with suppress(BrokenPipeError):  # what it was to be told was never read
                stream.close()

    def _told(self, chunk: bytes) -> None:
        *lines, self._line = (self._line + chunk).split(b"\n")
        for message in map(json.loads, lines):
            if message.get("event") == "SHUTDOWN":
                self.reason = message["data"]["reason"]
            elif message.get("id") == ON:
                self.on()

    def _grumbled(self, chunk: bytes) -> None:
        self.said = (self.said + chunk)[-_TAIL:]


class Caller:
    """Whoever switches the machine on, and is told one thing, if still there. file: a pipe's."""

    def __init__(self, file: int) -> None:
        self._file: int | None = file

    def tell(self, text: str) -> None:
        if self._file is None:
            return
        with suppress(BrokenPipeError):
            os.write(self._file, text.encode(errors="replace"))
        os.close(self._file)
        self._file = None


@dataclass
class Supervisor:
    """The machine, once its pid file is locked."""

    words: Sequence[str]
    file: int
    caller: Caller
    _is_on: bool = False
    _to_end: bool = False
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def run(self) -> str | None:
        """Keep it on until it is off. Return why it ended though nobody did that. Raises Refused before it is on."""
        signal.signal(signal.SIGTERM, self._terminate)
        while True:
            began = time.monotonic()
            try:
                qemu = self._once()
            except Refused as refused:
                if not self._is_on:
                    raise
                return str(refused)
            if qemu.reason not in RESETS:
                return None
            while not self._to_end and (rest := began + PACE - time.monotonic()) > 0:
                time.sleep(min(rest, 0.1))
            if self._to_end:
                return None

    def _once(self) -> Qemu:
        """Run QEMU until the guest has reset or is off. Raises Refused with its words when that is not why it ended."""
        qemu = Qemu(self.words, self.file, self._was_started)
        self._process = process = qemu.start()
        if self._to_end:
            process.terminate()
        qemu.follow(process)
        if qemu.reason is None or not self._is_on:
            said = qemu.said.decode(errors="replace").strip()
            raise Refused(said or f"QEMU ended with status {process.returncode} and said nothing")
        return qemu

    def _was_started(self) -> None:
        self._is_on = True
        self.caller.tell(ON)

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        """As QEMU does: the disk gets all, and the machine is off and not dead."""
        self._to_end = True
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()


def keep(pid_file: str, console: str, groups: Sequence[str], words: Sequence[str], caller: Caller) -> None:
    """Be the machine from its start to its end. Its pid file stays where it did not go off in order."""
    try:
        file = lock(pid_file)
    except (Refused, OSError) as error:
        caller.tell(str(error))
        return
    try:
        for group in groups:
            with open(group, "w") as members:
                members.write("0")
        ended = Supervisor(words, file, caller).run()
    except (Refused, OSError) as error:
        os.unlink(pid_file)
        caller.tell(str(error))
        return
    if ended is None:
        os.unlink(pid_file)
    else:
        with open(console, "a") as log:
            log.write(time.strftime(f"\r\n[%Y-%m-%d %H:%M:%S] the machine ended: {ended}\r\n"))


def main(words: list[str]) -> int:
    """Leave a process behind that is the machine; return when it is on, or when it is not going to be."""
    at = words.index("--")
    (pid_file, console, *groups), qemu = words[:at], words[at + 1 :]
    answer, question = os.pipe()
    if os.fork():
        os.close(question)
        with open(answer, errors="replace") as stream:
            said = stream.read()
        if said != ON:
            sys.stderr.write(f"{said or 'its supervisor ended at once'}\n")
        return int(said != ON)
    os.close(answer)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    keep(pid_file, console, groups, qemu, Caller(question))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
