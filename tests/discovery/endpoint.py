"""An endpoint in this process, real etcd members on loopback, and Debian's discovery service in front of one."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from coreops.discovery.ledger import Ledger
from coreops.discovery.service import Discovery
from coreops.serving.audit import Audit
from coreops.serving.listen import Listen
from coreops.serving.server import Limits, Server

QUERY = "quorum=false&recursive=false&sorted=false"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


ANYWHERE = Listen("127.0.0.1", 0)


def addresses() -> Iterator[str]:
    """Loopback addresses that nobody else has, so that ports on them are free, and stay so until they are used."""
    middle = secrets.token_bytes(2)
    return (f"127.{64 + middle[0] % 128}.{middle[1]}.{last}" for last in range(1, 255))


@dataclass
class Endpoint:
    """The server, its ledger, and what it told."""

    server: Server
    service: Discovery
    ledger: Ledger
    audit: Path
    told: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    def ask(self, method: str, path: str, value: str | None = None, seconds: float = 120) -> Answer:
        return ask(self.url, method, path, value, seconds)

    def entries(self) -> list[dict[str, Any]]:
        """The audit log, once nobody is served."""
        slots = self.server.slots
        with slots._change:
            assert slots._change.wait_for(lambda: not slots._places, 120)
        return [json.loads(line) for line in self.audit.read_text().splitlines()]


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    index: int | None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(url: str, method: str, path: str, value: str | None = None, seconds: float = 120) -> Answer:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=seconds)
    try:
        body = None if value is None else urlencode({"value": value})
        connection.request(method, path, body, FORM if body else {})
        found = connection.getresponse()
        index = found.getheader("X-Etcd-Index")
        return Answer(found.status, found.read(), int(index) if index else None)
    finally:
        connection.close()


@contextmanager
def endpoint(folder: Path, patience: float = 20, listen: Listen = ANYWHERE) -> Iterator[Endpoint]:
    told: list[str] = []
    audit = Audit(folder / "audit.log")
    with Ledger(folder / "discovery.db") as ledger:
        service = Discovery(ledger, told.append, audit=audit, patience=patience)
        server = Server(listen, service, Limits(most=1024))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield Endpoint(server, service, ledger, folder / "audit.log", told)
        finally:
            service.stop()
            server.slots.close(5)
            server.shutdown()
            thread.join(60)
            server.server_close()
            audit.close()


class Etcds:
    """Members that find each other by discovery."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self.binary = binary
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.free = addresses()
        self.hosts: dict[str, str] = {}

    def start(self, name: str, discovery: str, *more: str) -> None:
        if name not in self.hosts:
            self.hosts[name] = next(self.free)
        client, peer = self.url(name), f"http://{self.hosts[name]}:2380"
        argv = [
            str(self.binary), "--name", name, "--data-dir", str(self.folder / name),
            "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            *(("--discovery", discovery) if discovery else ("--initial-cluster", f"{name}={peer}")),
            *more,
        ]  # fmt: skip
        env = {word: value for word, value in os.environ.items() if not word.startswith("ETCD_")}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(argv, stdout=log, stderr=log, env=env)

    def url(self, name: str) -> str:
        return f"http://{self.hosts[name]}:2379"

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def healthy(self, name: str) -> bool:
        if self.processes[name].poll() is not None:
            raise AssertionError(self.log(name)[-2000:])
        with contextlib.suppress(OSError, http.client.HTTPException):
            return ask(self.url(name), "GET", "/health", seconds=2).body.startswith(b'{"health":"true"')
        return False

    def members(self, name: str) -> set[str]:
        connection = http.client.HTTPConnection(self.url(name).removeprefix("http://"), timeout=60)
        try:
            connection.request("POST", "/v3/cluster/member/list", "{}")
            return {each["name"] for each in json.loads(connection.getresponse().read())["members"]}
        finally:
            connection.close()

    def wiped(self, name: str) -> None:
        self.kill(name)
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait(60)

    def close(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait(60)


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        pause.wait(0.05)
