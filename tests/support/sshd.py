"""A real sshd on 127.0.0.1 for tests: own port, own host keys, own authorized key; touches nothing of the machine's.

Use the fixture ``sshd`` (one server for the session) or ``new_sshd`` (a factory with sshd_config lines). Import both in
a conftest: ``from tests.support.sshd import new_sshd, sshd  # noqa: F401``.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from coreops.model import Target
from tests.support.ports import free_port

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
DEADLINE = 60.0


def keypair(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """Make a key pair with ssh-keygen; return the private key's path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            "ssh-keygen",
            "-q",
            "-t",
            kind,
            *(("-b", "2048") if kind == "rsa" else ()),
            "-N",
            passphrase,
            "-C",
            "test",
            "-f",
            str(path),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return path


def children(pid: int) -> list[int]:
    """All processes below ``pid``."""
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it may end while we look
        for task in list(Path(f"/proc/{pid}/task").glob("*/children")):
            for child in (int(word) for word in task.read_text().split()):
                found += [child, *children(child)]
    return found


@dataclass
class Sshd:
    """One running server."""

    folder: Path
    port: int
    user: str
    key: Path
    host_key: Path
    known_hosts: Path
    process: subprocess.Popen[bytes]
    stopped: list[int] = field(default_factory=list)

    def target(self, **changes: Any) -> Target:
        """A Target for this server, with everything it needs to be trusted."""
        base = Target(
            name="here",
            address="127.0.0.1",
            port=self.port,
            user=self.user,
            identity_files=(self.key,),
            known_hosts=(self.known_hosts,),
            connect_timeout=60.0,
        )
        return replace(base, **changes)

    def line(self, host_key: Path | None = None) -> str:
        """The known_hosts line for one of its keys."""
        public = (host_key or self.host_key).with_suffix(".pub").read_text().split()
        return f"[127.0.0.1]:{self.port} {public[0]} {public[1]}\n"

    def freeze(self) -> None:
        """SIGSTOP every connection's process (not the listener)."""
        self.stopped = children(self.process.pid)
        for pid in self.stopped:
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self.stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.stopped = []

    def drop(self) -> None:
        """SIGKILL every connection's process."""
        for pid in children(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        self.thaw()
        self.drop()
        self.process.terminate()
        self.process.wait(DEADLINE)


def start_sshd(
    folder: Path, *config: str, host_key_types: tuple[str, ...] = ("ed25519",), key: Path | None = None
) -> Sshd:
    """Start a server with extra sshd_config lines and wait until it listens."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd's privilege separation wants it
    host_keys = [keypair(folder / f"host_{kind}", kind) for kind in host_key_types]
    key = key or keypair(folder / "client")
    (folder / "authorized_keys").write_text(key.with_suffix(".pub").read_text())
    port = free_port()
    lines = [
        *config,
        "ListenAddress 127.0.0.1",
        f"Port {port}",
        *(f"HostKey {path}" for path in host_keys),
        f"AuthorizedKeysFile {folder}/authorized_keys",
        "PidFile none",
        "UsePAM no",
        "StrictModes no",
        "PermitRootLogin yes",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "UseDNS no",
        "SetEnv SHLVL=2",  # bash then reads no ~/.bashrc, whatever the developer has in it
    ]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [SSHD or "sshd", "-D", "-e", "-f", str(folder / "sshd_config")],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )
    log.close()
    server = Sshd(folder, port, getpass.getuser(), key, host_keys[0], folder / "known_hosts", process)
    server.known_hosts.write_text("".join(server.line(path) for path in host_keys))
    deadline = time.monotonic() + DEADLINE
    while True:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return server
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"sshd did not start: {(folder / 'log').read_text()}")
        time.sleep(0.02)


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """One server for all tests that do not hurt it."""
    if SSHD is None:
        pytest.skip("sshd is not installed")
    server = start_sshd(tmp_path_factory.mktemp("sshd"), "MaxStartups 100", "MaxSessions 20")
    yield server
    server.stop()


@pytest.fixture
def new_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Sshd]]:
    """A factory: ``new_sshd("MaxStartups 2", host_key_types=("rsa",))``."""
    if SSHD is None:
        pytest.skip("sshd is not installed")
    servers: list[Sshd] = []

    def make(*config: str, **options: Any) -> Sshd:
        servers.append(start_sshd(tmp_path_factory.mktemp("sshd"), *config, **options))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()
