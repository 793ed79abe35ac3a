"""The transport through the ``ssh`` program, one process per host and run: certificates, FIDO, ``@cert-authority``.

ssh's own words come through a private FIFO, so open() knows when authentication is over and why it failed. A second
command (``aside``) goes through the first one's control socket, or makes its own connection.
"""

from __future__ import annotations

import itertools
import os
import random
import shlex
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from coreops.errors import CoreopsError, InputError, UnreachableError
from coreops.model import Target
from coreops.transport import failures
from coreops.transport.become import Launch, launch, unlock
from coreops.transport.failures import failure
from coreops.transport.process import LAST_WORDS, READ_SIZE, SLICE, ProcessSession, start
from coreops.transport.protocol import Chunk
from coreops.transport.session import Ended
from coreops.transport.sshconfig import refuse_unsafe, split_jump
from coreops.transport.sshlog import SshLog

ATTEMPTS = 8
ALWAYS = (
    "BatchMode=yes",
    "ServerAliveInterval=10",
    "ServerAliveCountMax=3",
    "UpdateHostKeys=no",
    "HashKnownHosts=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
)
MAX_SOCKET_PATH = 90


def option_words(target: Target, accept_new: bool) -> list[str]:
    """ssh's options for trust and identity: the same for the host and for its jump hosts."""
    words = [f"-o{option}" for option in ALWAYS]
    words += [f"-oStrictHostKeyChecking={'accept-new' if accept_new else 'yes'}"]
    words += [f"-oConnectTimeout={max(1, round(target.connect_timeout))}"]
    if target.known_hosts:
        files = " ".join(f'"{_token(path)}"' for path in target.known_hosts)
        words += [f"-oUserKnownHostsFile={files}", "-oGlobalKnownHostsFile=/dev/null"]
    for path in target.identity_files:
        words += ["-i", _token(path)]
    if target.identity_files:
        words += ["-oIdentitiesOnly=yes"]
    return words


def jump_command(target: Target, accept_new: bool) -> str | None:
    """A ProxyCommand for ``proxy_jump``. -J would not give jump hosts our keys and known_hosts."""
    command: str | None = None
    for jump in (target.proxy_jump or "").split(",") if target.proxy_jump else ():
        user, host, port = split_jump(jump, target.name)
        words = ["ssh", "-T", *option_words(target, accept_new)]
        words += [*(("-l", user) if user else ()), *(("-p", str(port)) if port else ())]
        if command is not None:
            words.append(f"-oProxyCommand={command}")
        # ssh expands % once per level, on the whole command
        command = shlex.join([word.replace("%", "%%") for word in words])
        command += f" -W '[%h]:%p' -- {shlex.quote(host).replace('%', '%%')}"
    return command


def _token(path: Path) -> str:
    return str(path.expanduser()).replace("%", "%%")


class OpensshConnection(ProcessSession):
    """One ssh process and its control socket."""

    def __init__(self, target: Target, started: Launch, words: list[str], socket: Path) -> None:
        self._words = words
        self._socket = socket
        self.log = SshLog()
        fifo = socket.with_suffix(".log")
        os.mkfifo(fifo, 0o600)
        log = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        head = ["ssh", "-T", "-E", str(fifo), "-oLogLevel=DEBUG1", "-oControlMaster=yes", f"-oControlPath={socket}"]
        try:
            process = start([*head, "-oControlPersist=no", *words, started.command])
        except OSError as error:
            os.close(log)
            fifo.unlink()
            raise InputError("ssh cannot be started", why=error.strerror, next="install the OpenSSH client") from None
        super().__init__(target, started, process)
        self._fifo = fifo
        self._log_stream = os.fdopen(log, "rb", buffering=0)
        self._watch(self._log_stream)

    def greet(self, timeout: float, proxied: bool) -> None:
        """Wait until ssh is authenticated. ``timeout`` is for each stage. Raises CoreopsError."""
        deadline = time.monotonic() + timeout
        stage = 0
        early: list[Chunk] = []
        while True:
            for number, _ in self._poll.poll(min(max(0.0, deadline - time.monotonic()), SLICE) * 1000):
                chunk = self._take(number)
                if chunk is not None:
                    early.append(chunk)
            if self.log.authenticated:
                break
            try:
                self._check_end()
            except Ended:
                said = b"".join(chunk.data for chunk in early).decode("utf-8", "replace")
                raise self.log.error(self.target, said, proxied) from None
            if self.log.stage > stage:
                stage = self.log.stage
                deadline = time.monotonic() + timeout
            if time.monotonic() >= deadline:
                raise self.log.timeout(self.target)
        for chunk in early if not proxied else ():
            self._note(chunk)
            self.unread(chunk)
        self._fifo.unlink(missing_ok=True)

    def _take(self, number: int) -> Chunk | None:
        if number != self._log_stream.fileno():
            return super()._take(number)
        data = os.read(number, READ_SIZE)
        if data:
            self.log.feed(data)
        elif self.process.poll() is not None:
            self._poll.unregister(number)
            del self._streams[number]
        return None

    def _check_end(self) -> None:
        super()._check_end()
        # ssh stays as long as the command's children hold its output
        if self.log.said_status or self.log.said_signal:
            self._over_since = self._over_since or time.monotonic()
            if time.monotonic() >= self._over_since + LAST_WORDS:
                raise Ended(why="the command ended, its children did not")

    def _ended(self, status: int) -> Ended:
        if status == 255 and self.log.said_signal:
            return Ended(None, signal="unknown to ssh")
        if status == 255 and not self.log.said_status and self.log.authenticated:
            raise self.log.lost(self.target)
        return super()._ended(status)

    def alive(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while self._running() and not self._socket.exists() and time.monotonic() < deadline:
            time.sleep(0.02)  # ssh makes it a moment after it has authenticated
        try:
            # no new connection: the question is whether this one answers
            return self._running() and self._beside(Launch(":"), timeout, "-oProxyCommand=false")[0] == 0
        except UnreachableError:
            return False

    def aside(self, command: str, timeout: float) -> tuple[int, bytes]:
        if not self._running():
            raise failure(failures.LOST, self.target, "the connection is gone")
        return self._beside(launch(command, self.target), timeout)

    def _running(self) -> bool:
        return not self._shut and self.process.poll() is None

    def _beside(self, started: Launch, timeout: float, *options: str) -> tuple[int, bytes]:
        deadline = time.monotonic() + timeout
        head = ["ssh", "-T", "-oLogLevel=ERROR", "-oControlMaster=no", f"-oControlPath={self._socket}"]
        other = ProcessSession(self.target, started, start([*head, *options, *self._words, started.command]))
        try:
            unlock(other, started, self.target, timeout)
            status, out = other.collect(max(0.0, deadline - time.monotonic()))
        finally:
            other.close()
        if status == 255:
            raise failure(failures.LOST, self.target, "ssh could not run a second command")
        return status, out

    def close(self) -> None:
        super().close()
        for path in (self._fifo, self._socket):
            path.unlink(missing_ok=True)


class OpensshTransport:
    """Starts ssh processes. Their sockets live in a private folder until ``close``."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._lock = threading.Lock()
        self._numbers = itertools.count()

    def open(self, target: Target, command: str) -> OpensshConnection:
        words, proxied = self._words(target)
        deadline = time.monotonic() + target.connect_timeout
        attempt = 0
        while True:
            attempt += 1
            started = launch(command, target)
            connection = OpensshConnection(target, started, words, self._socket())
            try:
                connection.greet(target.connect_timeout, proxied)
                unlock(connection, started, target, target.connect_timeout)
                return connection
            except BaseException as error:
                connection.close()
                pause = random.uniform(0.05, 0.2) * attempt
                late = attempt >= ATTEMPTS or time.monotonic() + pause > deadline
                if late or proxied or not isinstance(error, CoreopsError) or not connection.log.dropped:
                    raise
                time.sleep(pause)  # not for luck: sshd counts connections that have not logged in yet

    def close(self) -> None:
        with self._lock:
            folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _words(self, target: Target) -> tuple[list[str], bool]:
        """Everything after ssh's own plumbing, up to the command; and whether ssh gets there through a proxy."""
        for path in target.identity_files:
            if not path.expanduser().exists():
                raise InputError(
                    f"key file {path} cannot be read",
                    where=target.name,
                    why="No such file or directory",
                    next="check ansible_ssh_private_key_file",
                )
        args = [word for word in target.ssh_args if word != "-q"]
        accept_new = refuse_unsafe(_o_options(args), target.name) or target.accept_new
        words = option_words(target, accept_new)
        words += [*(("-p", str(target.port)) if target.port else ()), *(("-l", target.user) if target.user else ())]
        jump = jump_command(target, accept_new)
        if jump is not None:
            words += [f"-oProxyCommand={jump}"]
        words += [*args, "--", target.address]
        proxied = jump is not None or _config_says_proxy(words)
        return words, proxied

    def _socket(self) -> Path:
        with self._lock:
            if self._folder is None:
                folder = Path(tempfile.mkdtemp(prefix="coreops-"))
                if len(str(folder)) > MAX_SOCKET_PATH - 24:  # ssh appends a random suffix; sun_path holds 108 bytes
                    folder.rmdir()
                    folder = Path(tempfile.mkdtemp(prefix="coreops-", dir="/tmp"))
                self._folder = folder
            return self._folder / str(next(self._numbers))


def _o_options(args: list[str]) -> dict[str, list[str]]:
    """The ``-o Name=value`` options among ssh's arguments."""
    options: dict[str, list[str]] = {}
    for word, following in itertools.zip_longest(args, args[1:], fillvalue=""):
        value = following if word == "-o" else word[2:] if word.startswith("-o") else ""
        name, _, value = value.replace("=", " ", 1).strip().partition(" ")
        if name:
            options.setdefault(name.lower(), []).append(value.strip())
    return options


def _config_says_proxy(words: list[str]) -> bool:
    """Ask ``ssh -G``, only when something other than our own options could set a proxy."""
    text = " ".join(words).lower()
    config = Path("~/.ssh/config").expanduser()
    if "proxy" not in text and "-j" not in text and "-f" not in text:
        try:
            if "proxy" not in config.read_text("utf-8", "replace").lower():
                return False
        except OSError:
            return False
    answer = subprocess.run(["ssh", "-G", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=10)
    return any(line.startswith(("proxyjump ", "proxycommand ")) for line in answer.stdout.splitlines())
