"""What all comparisons share: a login user whose shell is sh, one sshd on loopback, host names that point at it.

Knows users, keys and sshd; knows none of the tools that are compared. Everything is gone after ``close``.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

USER = f"bench-{os.getpid()}"  # several benchmarks may run at once
ADDRESSES = 16  # sshd listens on so many at most; more hosts share them
SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True, slots=True)
class Host:
    """A name in an inventory and where it leads."""

    name: str
    address: str
    port: int


class World:
    """A temporary folder with keys, one sshd and the user it lets in."""

    def __init__(self) -> None:
        if SSHD is None:
            raise SystemExit("bench: sshd is not installed; next: apt-get install openssh-server")
        self.folder = Path(tempfile.mkdtemp(prefix="coreops-bench-"))
        self.folder.chmod(0o755)
        self.user, self._made_user = _user(self.folder / "home")
        self.key = self.folder / "key"
        self.known_hosts = self.folder / "known_hosts"
        self.nodes = self.folder / "nodes"
        self.port = _free_port()
        self._sshd = self._start()

    def hosts(self, count: int) -> list[Host]:
        """``count`` hosts; no two of the first ones share an address, as ssh's connection sharing goes by address."""
        return [Host(f"n{i:04}", self._address(i), self.port) for i in range(count)]

    def clean(self) -> None:
        """Begin with empty "nodes". What the tools made is moved away, and removed when all is measured: for minutes
        after many files were removed, ext4 looks long for inodes that it has not just set free.
        """
        if self.nodes.exists():
            self.nodes.rename(Path(tempfile.mkdtemp(prefix="gone-", dir=self.folder)) / "nodes")
        self.nodes.mkdir()
        if self._made_user:
            shutil.chown(self.nodes, self.user)

    def write_hosts(self, hosts: list[Host], port: int | None = None) -> Path:
        """The hosts as JSON, for our own scripts."""
        path = self.folder / "hosts.json"
        rows = [{"name": host.name, "address": host.address, "port": port or host.port} for host in hosts]
        about = {"user": self.user, "key": str(self.key), "known_hosts": str(self.known_hosts)}
        path.write_text(json.dumps({**about, "hosts": rows}))
        return path

    def trust(self, port: int) -> None:
        """Another port that leads to the same sshd."""
        kind, key = (self.folder / "host_key.pub").read_text().split()[:2]
        with self.known_hosts.open("a") as stream:
            for i in range(ADDRESSES):
                stream.write(f"[{self._address(i)}]:{port} {kind} {key}\n")

    def close(self) -> None:
        """Stop sshd with its connections, remove the user and the folder."""
        for pid in [*_children(self._sshd.pid), self._sshd.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 15)
        self._sshd.wait(10)
        if self._made_user:
            _await_quiet(self.user)
            subprocess.run(["userdel", self.user], check=True, capture_output=True)
        shutil.rmtree(self.folder)

    def _address(self, number: int) -> str:
        return f"127.77.0.{1 + number % ADDRESSES}"

    def _start(self) -> subprocess.Popen[bytes]:
        for name in ("key", "host_key"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", str(self.folder / name)],
                check=True,
                stdin=subprocess.DEVNULL,
            )
        shutil.copy(self.folder / "key.pub", self.folder / "authorized_keys")
        self.trust(self.port)
        lines = [
            f"Port {self.port}",
            *(f"ListenAddress {self._address(i)}" for i in range(ADDRESSES)),
            f"HostKey {self.folder}/host_key",
            f"AuthorizedKeysFile {self.folder}/authorized_keys",
            f"AllowUsers {self.user}",
            "PermitRootLogin prohibit-password",
            "PidFile none",
            "UsePAM no",
            "UseDNS no",
            "StrictModes no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PrintMotd no",
            "PrintLastLog no",
            "LogLevel ERROR",
            "MaxStartups 1000",
            "MaxSessions 20",
            f"Subsystem sftp {_sftp_server()}",
        ]
        (self.folder / "sshd_config").write_text("\n".join(lines) + "\n")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        command = [str(SSHD), "-D", "-e", "-f", str(self.folder / "sshd_config")]
        with (self.folder / "sshd.log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 10
        while True:
            with socket.socket() as sock:
                if sock.connect_ex((self._address(ADDRESSES - 1), self.port)) == 0:
                    return process
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"bench: sshd did not start: {(self.folder / 'sshd.log').read_text()}")
            time.sleep(0.05)


def _user(home: Path) -> tuple[str, bool]:
    """The user to log in as. Root makes one with ``sh`` as login shell, so that no .bashrc is measured."""
    if os.geteuid() != 0:
        return getpass.getuser(), False
    subprocess.run(["useradd", "-M", "-d", str(home), "-s", "/bin/sh", "-p", "*", USER], check=True)
    home.mkdir()
    shutil.chown(home, USER)
    return USER, True


def _sftp_server() -> str:
    for path in ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server"):
        if Path(path).exists():
            return path
    return "internal-sftp"


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in (int(word) for word in task.read_text().split()):
            found += [child, *_children(child)]
    return found


def _await_quiet(user: str) -> None:
    """userdel refuses while the user has processes; their connections are closed, so they end."""
    uid = str(pwd.getpwnam(user).pw_uid)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not any(_owner(path) == uid for path in Path("/proc").glob("[0-9]*")):
            return
        time.sleep(0.1)


def _owner(path: Path) -> str:
    try:
        return str(path.stat().st_uid)
    except OSError:
        return ""
