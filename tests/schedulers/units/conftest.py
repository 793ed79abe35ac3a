"""A real etcd on loopback, and nodes on which the shipped program runs for real, with a systemctl of our own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from coreops.errors import CoreopsError
from coreops.model import Record, ShellStep
from coreops.schedulers.protocol import Cluster, Host
from coreops.schedulers.units import Units
from coreops.store import artifact, lockfile, wanted
from tests.support.ports import free_port
from tests.support.shells import SHELLS

PROGRAM = wanted.default_playbook().parent / "files" / "units" / "agent.sh"
SYSTEMCTL = Path(__file__).with_name("systemctl.sh")


class Node:
    """The program, as systemd would start it. What is below ``run`` and ``system`` is gone with a reboot."""

    def __init__(self, name: str, url: str, folder: Path, shell: str) -> None:
        self.name, self.folder, self.shell = name, folder, shell
        for part in ("etc/pki", "bin", "fake/own", "fake/stubborn"):
            (folder / part).mkdir(parents=True)
        (folder / "etc" / "endpoints").write_text(f"http://127.0.0.1:1\n{url}\n")
        shutil.copy(SYSTEMCTL, folder / "bin" / "systemctl")
        (folder / "bin" / "systemctl").chmod(0o755)
        (folder / "fake" / "log").touch()
        self._boots = 0
        self.boot()

    def boot(self) -> None:
        self._boots += 1
        for part in ("run", "system", "fake/active"):
            shutil.rmtree(self.folder / part, ignore_errors=True)
            (self.folder / part).mkdir(parents=True)
        self.start()

    def start(self) -> None:
        env = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOST": self.name,
            "MACHINE": f"{self.name:0<32}",
            "BOOT": f"boot{self._boots}",
            "BEAT": "0.5",
            "TTL": "5",  # a busy machine is late, and nobody shall take that for a node that is down
            "ETC": str(self.folder / "etc"),
            "RUNTIME_DIRECTORY": str(self.folder / "run"),
            "SYSTEM": str(self.folder / "system"),
            "FAKE": str(self.folder / "fake"),
        }
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*SHELLS[self.shell], str(PROGRAM)], env=env, stdout=log, stderr=log, start_new_session=True
            )

    def crash(self) -> None:
        self.process.kill()
        self.process.wait(timeout=60)

    def active(self) -> set[str]:
        return set(os.listdir(self.folder / "fake" / "active"))

    def leftovers(self) -> set[str]:
        parts = ("run/have", "run/mine", "run/begun", "run/done", "system", "fake/active")
        return {f"{part}/{name}" for part in parts for name in os.listdir(self.folder / part)}


class Real:
    """A world (``tests.schedulers.worlds``) of which only the ``systemctl`` is not real."""

    def __init__(self, url: str, folder: Path, labels: dict[str, dict[str, str]]) -> None:
        hosts = tuple(Host(name=name, address=name, role="manager", labels=own) for name, own in labels.items())
        self.scheduler = Units(Cluster(scheduler="units", hosts=hosts, store=("http://127.0.0.1:1", url)))
        self.folder = folder
        shells = dict(zip(labels, SHELLS, strict=True))
        self.nodes = {host.name: Node(host.name, url, folder / host.name, shells[host.name]) for host in hosts}
        self.most: dict[str, int] = {}

    def run(self, host: str, step: ShellStep) -> Record:
        assert step.act is not None
        env = {**os.environ, **step.env, "PKI": str(self.folder)}
        for number, blob in enumerate(step.blobs, 1):
            (self.folder / f"blob{number}").write_bytes(blob.data or b"")
            env[f"blob{number}"] = str(self.folder / f"blob{number}")
        done = subprocess.run(["dash", "-c", step.act], env=env, capture_output=True, check=False)
        state = "ok" if done.returncode == 0 else "failed"
        return Record(step.id, state, done.returncode, done.stdout, done.stderr)  # type: ignore[arg-type]

    def tick(self) -> None:
        for _ in range(5):
            running = [name for node in self.nodes.values() for name in node.active()]
            for name in running:
                self.most[name] = max(self.most.get(name, 0), running.count(name))
            time.sleep(0.02)

    def secrets(self) -> Sequence[str]:
        return ()


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a member that has no TLS; that is a matter of the lab."""
    locked = lockfile.choose(lockfile.read(lockfile.DEFAULT), "etcd", "amd64", None, where=None)
    try:
        packed = artifact.archive(locked)
    except CoreopsError as error:
        pytest.skip(f"no real etcd: {error}")
    folder = tmp_path_factory.mktemp("etcd")
    with tarfile.open(packed) as tar:
        tar.extractall(folder, filter="data")
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    words = {
        "data-dir": folder / "data",
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"default={peer}",
        "unsafe-no-fsync": "true",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(folder / "etcd"), *(f"--{key}={value}" for key, value in words.items())], stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 120
        ready = ["curl", "-sf", f"{client}/health"]
        while b"true" not in subprocess.run(ready, capture_output=True, check=False).stdout:
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.1)
        yield client
    finally:
        process.kill()
        process.wait(timeout=60)


@pytest.fixture
def real(etcd: str, tmp_path: Path) -> Iterator[Real]:
    """Three nodes, each with another shell; n3 has no fast disk."""
    subprocess.run(
        ["curl", "-sf", f"{etcd}/v3/kv/deleterange", "-d", '{"key":"Lw==","range_end":"AA=="}'],
        check=True,
        capture_output=True,
    )
    world = Real(etcd, tmp_path, {"n1": {"disk": "ssd"}, "n2": {"disk": "ssd"}, "n3": {}})
    try:
        yield world
    finally:
        for node in world.nodes.values():
            node.crash()
