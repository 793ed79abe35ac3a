"""coreops as a process of its own that need not import anything first: a server that has imported all of it forks.

``run`` and ``start`` take what ``subprocess`` takes for ``[sys.executable, "-c", CODE, ...]``, and do the same with it:
another working directory and environment, pipes of its own, a process that signals reach and that dies alone. Lab tests
start coreops hundreds of times, and each time it would read and execute some hundred modules before it does anything.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

MAIN = "from coreops.cli import main; main()"
_TOO_MUCH = ("coreops.providers.ec2", "coreops.providers.namespace.launcher")
_LATER = (
    *("cryptography.x509", "encodings.idna", "encodings.utf_8_sig", "httpx", "jinja2.ext", "paramiko", "rich.live"),
    *("rich.table", "tuf.api.metadata", "tuf.ngclient", "typer._click.decorators"),
)
"""What coreops imports inside of functions, when it is needed."""


class Process:
    """One command that runs, as ``subprocess.Popen`` shows it."""

    def __init__(self, argv: Sequence[str], cwd: Path | None, env: Mapping[str, str] | None) -> None:
        assert argv[:2] == [sys.executable, "-c"], argv
        self.args = argv
        self.returncode: int | None = None
        self._said = ["", ""]
        self._readers: list[threading.Thread] = []
        wanted = {"argv": ["-c", *argv[3:]], "code": argv[2], "cwd": str(cwd or Path.cwd())}
        wanted["env"] = dict(os.environ if env is None else env)
        nothing = os.open(os.devnull, os.O_RDWR)
        (out, their_out), (err, their_err) = os.pipe(), os.pipe()
        theirs = [nothing, their_out, their_err]
        self.stdout, self.stderr = (os.fdopen(fd, encoding="utf-8", errors="replace") for fd in (out, err))
        self._status, told = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with told:
            text = os.memfd_create("command")
            os.write(text, json.dumps(wanted).encode())
            socket.send_fds(_server(), [b"run"], [text, *theirs, told.fileno()])
        for fd in {text, *theirs}:
            os.close(fd)
        self.pid = int(self._status.recv(64))

    def poll(self) -> int | None:
        """How it has ended, or None."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """All that it prints, when it has ended."""
        deadline = None if timeout is None else time.monotonic() + timeout
        if not self._readers:
            self._readers = [
                threading.Thread(target=self._read, args=each, daemon=True)
                for each in enumerate((self.stdout, self.stderr))
            ]
            for reader in self._readers:
                reader.start()
        for reader in self._readers:
            reader.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
        self.wait(None if deadline is None else max(0.1, deadline - time.monotonic()))
        return self._said[0], self._said[1]

    def _read(self, number: int, stream: IO[str]) -> None:
        with suppress(ValueError), stream:  # it was closed already
            self._said[number] = stream.read()

    def send_signal(self, number: int) -> None:
        """To it alone."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], timeout)[0]:
            told = self._status.recv(64)
            self._status.close()
            assert told, "the server has died"
            self.returncode = os.waitstatus_to_exitcode(int(told))
        return self.returncode


def start(argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Process:
    """Start a command, with pipes at its stdout and stderr and nothing at its stdin."""
    return Process(argv, cwd, env)


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    check: bool = False,
    capture_output: bool = True,
    text: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. It is killed when it takes too long."""
    assert capture_output
    assert text
    process = start(argv, cwd=cwd, env=env)
    try:
        out, err = process.communicate(timeout)
    except BaseException:
        process.kill()
        process.wait(60)
        raise
    done = subprocess.CompletedProcess(process.args, process.wait(), out, err)
    if check:
        done.check_returncode()
    return done


@cache
def _server() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-P", str(Path(__file__)), str(theirs.fileno())]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])

    def end() -> None:
        ours.close()
        process.wait(60)

    atexit.register(end)
    return ours


def _serve(control: socket.socket) -> None:
    """Fork for each command, tell its process id and, when it has ended, how. Ends when nobody can ask any more."""
    _import()
    gc.collect()
    gc.freeze()
    children: dict[int, tuple[int, socket.socket]] = {}
    watch = select.poll()
    watch.register(control, select.POLLIN)
    while True:
        for fd, _ in watch.poll():
            if fd != control.fileno():
                watch.unregister(fd)
                pid, told = children.pop(fd)
                with told, suppress(BrokenPipeError):  # nobody wants to know
                    told.send(str(os.waitpid(pid, 0)[1]).encode())
                os.close(fd)
                continue
            said, fds, _, _ = socket.recv_fds(control, 16, 5)
            if not said:
                return
            _read_archives()
            if not (pid := os.fork()):
                _become(fds[0], fds[1:4])
            for each in fds[:4]:
                os.close(each)
            told = socket.socket(fileno=fds[4])
            told.send(str(pid).encode())
            pidfd = os.pidfd_open(pid)
            children[pidfd] = (pid, told)
            watch.register(pidfd, select.POLLIN)


def _import() -> None:
    cli = importlib.import_module("coreops.cli")
    cli._want_no_plugins()
    cli._want_no_kms()
    package = importlib.import_module("coreops")
    for found in pkgutil.walk_packages(package.__path__, "coreops."):
        if not found.name.startswith(_TOO_MUCH):
            module = importlib.import_module(found.name)
            for name in module.__all__ if found.ispkg and hasattr(module, "__all__") else ():
                getattr(module, name)  # before a module of the same name takes its place
    for name in _LATER:
        importlib.import_module(name)


def _read_archives() -> None:
    """What is in the cache of artifacts, and was not there before; each bootstrap would have to unpack it to look."""
    from coreops.modules.archive import read_archive
    from coreops.store.fetching import cache_dir

    for path in cache_dir().glob("*.etcd.tar.gz"):
        with suppress(OSError, ValueError):  # whoever needs it will say what is wrong
            read_archive(path)


def _become(text: int, streams: Sequence[int]) -> None:
    """Be the command. Does not return."""
    code = 1
    try:
        with os.fdopen(text, "rb") as file:
            file.seek(0)
            wanted: dict[str, Any] = json.load(file)
        for number, fd in enumerate(streams):
            os.dup2(fd, number)
        os.closerange(3, 4096)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
        os.chdir(wanted["cwd"])
        os.environ.clear()
        os.environ.update(wanted["env"])
        sys.argv = wanted["argv"]
        exec(compile(wanted["code"], "<string>", "exec"), {"__name__": "__main__"})
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
