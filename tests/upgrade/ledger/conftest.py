"""Every kind of ledger, as one fixture: in memory, in a real etcd on loopback, as markers kept by each shell."""

from __future__ import annotations

import os
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from coreops.errors import CoreopsError, UnreachableError
from coreops.model import Record, ShellStep
from coreops.store import etcdctl
from coreops.upgrade import guard
from coreops.upgrade.ledger import markers
from coreops.upgrade.ledger.book import Book
from coreops.upgrade.ledger.etcd import Etcd
from coreops.upgrade.ledger.places import Places
from tests.support.ledger import Memory, holder
from tests.support.ports import free_port
from tests.support.shells import SHELLS

HOSTS = ("n1", "n2", '-rf it\'s $(n) "ü"\n/..')


def run_step(step: ShellStep, script: str, shell: Sequence[str] = ("sh",), most: float = 60.0) -> Record:
    """What the engine would do with a step, deadline included."""
    env = {"PATH": os.environ["PATH"], **step.env}
    line = ["timeout", str(min(most, step.timeout)), *shell, "-c", script]
    done = subprocess.run(line, env=env, capture_output=True, check=False)
    return Record(step.id, "failed" if done.returncode else "ok", done.returncode, done.stdout, done.stderr)


@dataclass
class LocalEtcd:
    """A single member without TLS. ``patience``: seconds for a step."""

    folder: Path
    bin: Path
    url: str
    process: subprocess.Popen[bytes] | None = None
    peer: str = ""
    patience: float = 60.0

    def start(self) -> None:
        words = [f"--data-dir={self.folder / 'data'}", f"--listen-client-urls={self.url}", "--unsafe-no-fsync"]
        words += [f"--advertise-client-urls={self.url}", f"--listen-peer-urls={self.peer}", "--log-level=error"]
        self.process = subprocess.Popen([self.bin / "etcd", *words], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while self.ctl("endpoint", "health").returncode:
            assert time.monotonic() < deadline, "etcd does not start"
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=60)
            self.process = None

    def ctl(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["sh", "-c", self._here(etcdctl.line(*words, endpoints=[self.url]))], capture_output=True, check=False
        )

    def ask(self, steps: Sequence[ShellStep]) -> dict[str, Record]:
        return {step.id: run_step(step, self._here(step.act or ""), most=self.patience) for step in steps}

    def _here(self, script: str) -> str:
        script = script.replace(etcdctl.PROGRAM, str(self.bin / "etcdctl")).replace("--command-timeout=5s", "")
        for flag in etcdctl.CERTIFICATES:
            # One that is switched off will not answer, however long it is waited for.
            script = script.replace(flag, f"--command-timeout={'1s' if self.process is None else '30s'}")
        return script


class LocalNodes:
    """A folder for each host; the nodes' scripts run here. down: hosts that do not answer."""

    def __init__(self, folder: Path, shell: str) -> None:
        self.folder = folder
        self.shell = SHELLS[shell]
        self.down: set[str] = set()
        self.names = {host: str(number) for number, host in enumerate(HOSTS)}

    def home(self, host: str) -> Path:
        path = self.folder / self.names[host]
        path.mkdir(exist_ok=True)
        return path

    def ask_on(self, steps: Mapping[str, Sequence[ShellStep]]) -> dict[str, dict[str, Record] | CoreopsError]:
        return {host: self._host(host, own) for host, own in steps.items()}

    def _host(self, host: str, steps: Sequence[ShellStep]) -> dict[str, Record] | CoreopsError:
        if host in self.down:
            return UnreachableError("tcp", "no answer", where=host)
        found = {}
        for step in steps:
            env = {name: value.replace(guard.FOLDER, str(self.home(host))) for name, value in step.env.items()}
            moved = ShellStep(id=step.id, title=step.title, act=step.act, env=env)
            found[step.id] = run_step(moved, step.act or "", self.shell)
        return found


@dataclass
class Cluster:
    """One cluster's ledger as several controllers see it. ``places`` gives each its own way to it."""

    kind: str
    places: Callable[[], Places]
    silence: Callable[[Book], None]

    def controller(self, run: str, owner: str = "ci@ci-4") -> Book:
        return Book(self.places(), holder(run, owner))


@pytest.fixture(scope="session")
def etcd_bin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the real etcd and etcdctl."""
    from coreops.store import artifact, lockfile

    locked = lockfile.choose(lockfile.read(lockfile.DEFAULT), "etcd", "amd64", None, where=None)
    try:
        packed = artifact.archive(locked)
    except CoreopsError as error:
        pytest.skip(f"no real etcd: {error}")
    folder = tmp_path_factory.mktemp("etcd-bin")
    with tarfile.open(packed) as tar:
        tar.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="session")
def running_etcd(etcd_bin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEtcd]:
    url, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    made = LocalEtcd(tmp_path_factory.mktemp("etcd"), etcd_bin, url, peer=peer)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def etcd(running_etcd: LocalEtcd) -> LocalEtcd:
    """An empty etcd that runs."""
    if running_etcd.process is None:
        running_etcd.start()
    assert running_etcd.ctl("del", "--prefix", "/").returncode == 0
    return running_etcd


def etcd_cluster(etcd: LocalEtcd) -> Cluster:
    def silence(book: Book) -> None:
        book.close()

    return Cluster("etcd", lambda: Etcd(etcd.ask, [etcd.url]), silence)


def marker_cluster(nodes: LocalNodes) -> Cluster:
    def silence(book: Book) -> None:
        for host in HOSTS:
            for path in (nodes.home(host) / "ledger/v1/leases").glob("*"):
                os.utime(path, (time.time() - 720, time.time() - 720))

    return Cluster("markers", lambda: markers.Markers(nodes.ask_on, HOSTS), silence)


@pytest.fixture(params=["memory", "etcd", "markers"])
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Cluster:
    if request.param == "memory":
        memory = Memory()
        return Cluster("memory", lambda: memory, lambda book: memory.beats.discard(book._holder.session))
    if request.param == "etcd":
        return etcd_cluster(request.getfixturevalue("etcd"))
    return marker_cluster(request.getfixturevalue("nodes"))


@pytest.fixture
def nodes(tmp_path: Path) -> LocalNodes:
    """Three hosts without etcd."""
    return LocalNodes(tmp_path, "dash")
