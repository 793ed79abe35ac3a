"""A real etcd of one member with mutual TLS on loopback, and the shipped program that registers a node there."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from coreops.model import Record, ShellStep
from coreops.registration import readers, record
from coreops.store import pki, wanted
from coreops.store.cluster import OPERATOR, Member
from tests.support.ports import free_port

PROGRAM = wanted.default_playbook().parent / "files" / "registration" / "register.sh"
NODE = pki.Leaf("registration/n1", "coreops node n1")
MACHINE = "0123456789abcdef0123456789abcdef"
HOSTILE = "a b'c\"d$(touch /nonexistent/x)`e`\\f *ü"


def until(what: Callable[[], Any], seconds: float = 120.0) -> Any:
    """What it returns once that is true."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found


class Etcd:
    """One member. ``ask`` is how readers get to it: their etcdctl lines, with the paths of this machine."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.folder, self.bin = folder, binaries
        self.member = Member("n1", "127.0.0.1", free_port(), free_port())
        made = pki.load(folder / "pki", [OPERATOR, NODE, self.member.leaf])
        pki.save(made)
        self.pki = folder / "pki"
        self.start()

    def start(self) -> None:
        keys = self.pki / "nodes"
        words = {
            "name": "n1",
            "data-dir": self.folder / "data",
            "listen-client-urls": self.member.client_url,
            "advertise-client-urls": self.member.client_url,
            "listen-peer-urls": self.member.peer_url,
            "initial-advertise-peer-urls": self.member.peer_url,
            "initial-cluster": f"n1={self.member.peer_url}",
            "client-cert-auth": "true",
            "trusted-ca-file": self.pki / "ca.crt",
            "cert-file": keys / "n1.crt",
            "key-file": keys / "n1.key",
            "peer-client-cert-auth": "true",
            "peer-trusted-ca-file": self.pki / "ca.crt",
            "peer-cert-file": keys / "n1.crt",
            "peer-key-file": keys / "n1.key",
            "unsafe-no-fsync": "true",
        }
        command = [str(self.bin / "etcd"), *(f"--{key}={value}" for key, value in words.items())]
        with (self.folder / "etcd.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until(lambda: self.ctl("endpoint", "health", check=False).returncode == 0)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(timeout=60)

    def words(self) -> list[str]:
        files = (f"--cacert={self.pki}/ca.crt", f"--cert={self.pki}/client.crt", f"--key={self.pki}/client.key")
        return [str(self.bin / "etcdctl"), *files, f"--endpoints={self.member.client_url}"]

    def ctl(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "ETCDCTL_API": "3"}
        return subprocess.run([*self.words(), *words], check=check, env=env, capture_output=True, text=True, timeout=20)

    def ask(self, steps: Sequence[ShellStep]) -> Mapping[str, Record]:
        found = {}
        for step in steps:
            script = (step.probe or step.act or "").replace("/opt/etcd/current", str(self.bin))
            script = script.replace("/etc/etcd/pki", str(self.pki))
            done = subprocess.run(
                ["sh", "-c", script], capture_output=True, env={**os.environ, **step.env}, check=False
            )
            state = "ok" if done.returncode == 0 else "failed"
            found[step.id] = Record(step.id, state, done.returncode, done.stdout, done.stderr)  # type: ignore[arg-type]
        return found

    def nodes(self) -> dict[str, record.Registered]:
        return dict(readers.Registry(self.ask, [self.member.client_url]).read().nodes)


class Node:
    """The program at work, as systemd would start it."""

    def __init__(self, etcd: Etcd, folder: Path, machine: str = MACHINE) -> None:
        self.folder, self.machine = folder, machine
        (folder / "pki").mkdir(parents=True)
        (folder / "run").mkdir()
        for source, name in (
            ("ca.crt", "ca.crt"),
            ("registration/n1.crt", "client.crt"),
            ("registration/n1.key", "client.key"),
        ):
            (folder / "pki" / name).write_bytes((etcd.pki / source).read_bytes())
        (folder / "register.sh").write_text(PROGRAM.read_text())
        (folder / "endpoints").write_text(f"https://127.0.0.1:{free_port()}\n{etcd.member.client_url}\n")
        self.say()
        self.process: subprocess.Popen[bytes] | None = None

    def say(self, **labels: str) -> None:
        said = record.static("n1", "10.0.0.1", "a", "swarm", labels)
        (self.folder / "node.json").write_text(json.dumps(said) + "\n")

    @property
    def lease(self) -> str:
        file = self.folder / "run" / "lease"
        return file.read_text().strip() if file.exists() else ""

    def start(self, ttl: int = 3) -> None:
        env = {
            "PATH": os.environ["PATH"],
            "ETC": str(self.folder),
            "RUNTIME_DIRECTORY": str(self.folder / "run"),
            "UNIT": str(self.folder / "unit"),
            "MACHINE": self.machine,
            "TTL": str(ttl),
            "BEAT": "0.2",
        }
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(["sh", str(self.folder / "register.sh")], env=env, stdout=log, stderr=log)
        until(lambda: self.lease)

    def stop(self, *, kill: bool = False) -> int:
        assert self.process is not None
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        code = self.process.wait(timeout=60)
        self.process = None
        return code
