"""What tests of a real swarm share: a small image made without a registry, a service that answers HTTP under load, and
ways to read the swarm that do not go through coreops.
"""

from __future__ import annotations

import json
import shutil
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from coreops.providers.namespace import image
from coreops.providers.namespace.lab import Lab, silent
from tests.lab import inside

IMAGE = "lab/web:1"
PORT = 8080
_APPLETS = ("sh", "httpd", "sleep", "cat", "hostname", "echo")
_WHO = "#!/bin/sh\necho 'Content-Type: text/plain'\necho\nhostname\n"
_CHANGES = ('CMD ["/bin/httpd", "-f", "-p", "80", "-h", "/www"]',)


def eventually(condition: Callable[[], Any], timeout: float, what: str) -> Any:
    """Wait until something is true, and return it."""
    deadline, pause = time.monotonic() + timeout, 0.2
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {timeout:g} s: {what}"
        time.sleep(pause)
        pause = min(1.5, 1.4 * pause)  # to ask docker once costs as much as a service that starts
    return found


def image_file() -> Path:
    """A root file system of busybox alone, whose httpd tells its hostname at /cgi-bin/who. Kept in the cache.

    Debian's static build, from the mirror that the lab's images come from.
    """
    folder = image.cache_root() / "busybox-1"

    def build(work: Path) -> None:
        image.bootstrap(work / "deb", ["busybox-static"], work / "log", variant="extract")
        tree = work / "root"
        (tree / "bin").mkdir(parents=True)
        (tree / "www/cgi-bin").mkdir(parents=True)
        binary = next(
            path for path in (work / "deb").glob("**/busybox") if path.is_file() and path.parent.name == "bin"
        )
        shutil.copy(binary, tree / "bin/busybox")
        for applet in _APPLETS:
            (tree / "bin" / applet).symlink_to("busybox")
        (tree / "www/index.html").write_text("ok\n")
        (tree / "www/cgi-bin/who").write_text(_WHO)
        (tree / "www/cgi-bin/who").chmod(0o755)
        with tarfile.open(work / "out/root.tar", "w") as tar:
            tar.add(tree, arcname=".")

    image.keep(folder, "test", build, silent)
    return folder / "root.tar"


@dataclass
class Swarm:
    """A swarm in a lab, asked through Docker's own command line on its nodes."""

    lab: Lab
    managers: Sequence[str] = ("n1", "n2", "n3")

    def sh(self, node: str, command: str, *, stdin: Path | None = None, check: bool = True) -> str:
        """Run a command line on a node as root."""
        with (stdin or Path("/dev/null")).open("rb") as stream:
            return inside.sh(self.lab, node, command, check=check, stdin=stream)

    def ask(self, command: str, *, node: str = "") -> list[dict[str, Any]]:
        """A docker command with --format '{{json .}}', on a manager that answers."""
        text = self.docker(f"{command} --format '{{{{json .}}}}'", node=node)
        return [json.loads(line) for line in text.splitlines()]

    def docker(self, command: str, *, node: str = "") -> str:
        """A docker command on a manager that answers, or on this node."""
        for manager in (node,) if node else self.managers:
            done = inside.run(self.lab, manager, f"docker {command}")
            if done.returncode == 0:
                return done.stdout.decode().strip()
        raise AssertionError(f"docker {command}: {done.stderr.decode()}")

    def load_image(self, nodes: Sequence[str] = ()) -> None:
        """Have the image on nodes (all of them)."""
        changes = " ".join(f"-c '{change}'" for change in _CHANGES)
        file = image_file()
        with ThreadPoolExecutor(8) as pool:
            wanted = [
                pool.submit(self._load, name, changes, file) for name in nodes or [n.name for n in self.lab.nodes]
            ]
        for one in wanted:
            one.result()

    def _load(self, node: str, changes: str, file: Path) -> None:
        self.sh(node, f"docker image inspect {IMAGE} >/dev/null 2>&1 || docker import {changes} - {IMAGE}", stdin=file)

    def serve(self, name: str, replicas: int, *options: str, command: str = "") -> None:
        """Start a service with the image, spread over zones, and wait until it runs."""
        spread = "--placement-pref spread=node.labels.zone"
        self.docker(
            f"service create --detach --no-resolve-image --name {name} --replicas {replicas} {spread} --init"
            f" --stop-grace-period 5s {' '.join(options)} {IMAGE} {command}"
        )
        eventually(lambda: len(self.running(name)) == replicas, 180, f"{replicas} tasks of {name} run")

    def tasks(self, name: str) -> list[dict[str, Any]]:
        """What the swarm wants to run of a service: Name, Node, CurrentState, DesiredState."""
        return self.ask(f"service ps --filter desired-state=running {name}")

    def running(self, name: str) -> list[str]:
        """The nodes on which tasks of a service run, one for each."""
        tasks = self.tasks(name)
        return sorted(task["Node"] for task in tasks if task["CurrentState"].startswith("Running"))

    def containers(self, node: str) -> list[str]:
        """The containers that run on a node, by its engine."""
        return self.docker("ps -q", node=node).split()

    def nodes(self) -> dict[str, dict[str, Any]]:
        """``docker node ls`` by hostname: Status, Availability, ManagerStatus."""
        return {each["Hostname"]: each for each in self.ask("node ls")}

    def leader(self) -> str:
        """The manager that leads, "" while none does."""
        return next((name for name, each in self.nodes().items() if each["ManagerStatus"] == "Leader"), "")

    def labels(self, node: str) -> Mapping[str, str]:
        found = json.loads(self.docker(f"node inspect {node} --format '{{{{json .Spec.Labels}}}}'"))
        return {str(key): str(value) for key, value in found.items()}


@dataclass
class Load:
    """What clients saw. failed: requests that no node answered within ``patience``, tried again all the time."""

    addresses: Sequence[str]
    port: int = PORT
    patience: float = 20.0
    answered: int = 0
    retried: int = 0
    slowest: float = 0.0
    failed: list[str] = field(default_factory=list)
    by: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, stop: threading.Event, start: int) -> None:
        """One client: a request after the other, to the node that answered last as long as it does."""
        at = start
        with httpx.Client(
            timeout=httpx.Timeout(5.0, connect=1.0),
            transport=httpx.HTTPTransport(retries=0),
            headers={"Connection": "close"},
        ) as http:
            while not stop.is_set():
                began, tries, error = time.monotonic(), 0, ""
                while True:
                    try:
                        answer = http.get(f"http://{self.addresses[at % len(self.addresses)]}:{self.port}/cgi-bin/who")
                        answer.raise_for_status()
                        break
                    except httpx.HTTPError as failed:
                        at, tries, error = at + 1, tries + 1, str(failed)
                    if time.monotonic() - began > self.patience:
                        answer = None
                        break
                    time.sleep(0.02)
                with self._lock:
                    self.slowest = max(self.slowest, time.monotonic() - began)
                    self.retried += bool(tries)
                    if answer is None:
                        self.failed.append(error)
                    else:
                        self.answered += 1
                        self.by.add(answer.text.strip())
                # Each request starts programs on a node: more of them would find no more, and slow everything down.
                time.sleep(0.25)


@contextmanager
def service_under_load(
    swarm: Swarm, name: str = "web", replicas: int = 3, *, clients: int = 2, port: int = PORT, patience: float = 20.0
) -> Iterator[Load]:
    """Run a replicated HTTP service, at most one task a node, and clients that ask it until the block ends.

    The kernel of a lab may lack ip_vs: ports are published by the node on which a task runs, and clients try the nodes
    in turn, as they would with a list of addresses or a balancer that tries again.
    """
    swarm.load_image()
    publish = f"--endpoint-mode dnsrr --publish mode=host,published={port},target=80"
    hostname = "--hostname '{{.Node.Hostname}}'"
    if name not in {each["Name"] for each in swarm.ask("service ls")}:
        swarm.serve(name, replicas, publish, hostname, "--replicas-max-per-node 1")
    load = Load([node.address for node in swarm.lab.nodes], port, patience)
    stop = threading.Event()
    threads = [threading.Thread(target=load.run, args=(stop, number), daemon=True) for number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: load.answered > 10, 120, "the service answers")
        yield load
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=patience + 60)
