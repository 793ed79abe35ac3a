"""A server in this process, and what a machine does to it: for the tests of this folder."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from coreops.delivery.request import Boot
from coreops.delivery.serving.answer import Rules
from coreops.delivery.serving.machines import Machines, Named
from coreops.delivery.serving.server import Limits, Server
from coreops.delivery.serving.service import Service
from coreops.delivery.serving.site import Content, Site
from coreops.delivery.serving.tickets import Tickets
from coreops.model import Position
from coreops.serving.audit import Audit
from coreops.serving.listen import Listen

HERE = Position("hosts.yml", 1)
MAC = "52:54:00:00:00:{:02x}"
BIG = b"#cloud-config\n" + b"# a line that makes it long\n" * 1_000_000
"""More than a socket takes at once."""


def site(bodies: dict[str, bytes], secret: tuple[str, ...] = (), target: str = "coreos") -> Site:
    """Node number N has the MAC that ends in N, from 1."""
    names = [Named(node, "mac", MAC.format(number), HERE) for number, node in enumerate(bodies, 1)]
    contents = {node: Content(node, data, node * 2, node in secret) for node, data in bodies.items()}
    return Site(target, contents, Machines.of(names), Boot("http://192.0.2.5/vmlinuz"))


@dataclass
class Running:
    """The server, what it told, and its state."""

    server: Server
    service: Service
    tickets: Tickets
    audit: Path
    lines: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    @property
    def told(self) -> list[str]:
        """What people were told. Records are made after the machine has its answer."""
        self.idle()
        return self.lines

    def idle(self) -> None:
        """Wait until no connection is left."""
        slots = self.server.slots
        with slots._change:
            assert slots._change.wait_for(lambda: not slots._places, 120)

    def log(self) -> str:
        """The audit log."""
        self.idle()
        return self.audit.read_text()

    def entries(self) -> list[dict[str, object]]:
        """The audit log; each line of it is JSON."""
        self.idle()
        return [json.loads(line) for line in self.audit.read_text().splitlines()]

    def get(
        self,
        path: str,
        *,
        method: str = "GET",
        peer: str = "127.0.0.1",
        headers: dict[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        patient: bool = True,
    ) -> tuple[int, bytes, dict[str, str]]:
        """Ask like a machine with the address ``peer``; one that is patient asks again when it is told to."""
        for _ in range(5000):
            found = self._get(path, method, peer, headers or {}, tls)
            if found[0] != 503 or not patient:
                break
            threading.Event().wait(0.02)
        return found

    def _get(
        self, path: str, method: str, peer: str, headers: dict[str, str], tls: ssl.SSLContext | None
    ) -> tuple[int, bytes, dict[str, str]]:
        kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
        more = {"context": tls} if tls else {}
        connection = kind("127.0.0.1", self.port, timeout=120, source_address=(peer, 0), **more)  # type: ignore[arg-type]
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), {key.lower(): value for key, value in answer.getheaders()}
        finally:
            connection.close()

    def raw(self, peer: str = "127.0.0.1") -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), 120, (peer, 0))

    def settled(self, node: str, seconds: float = 120) -> str:
        """The state of a node's ticket once nothing is being sent."""
        done = threading.Event()
        for _ in range(int(seconds * 50)):
            state = self.tickets.all()[node].state
            if state != "sending":
                return state
            done.wait(0.02)
        raise AssertionError("it is still being sent")


@contextmanager
def running(
    served: Site,
    folder: Path,
    rules: Rules | None = None,
    limits: Limits | None = None,
    tls: ssl.SSLContext | None = None,
    url: str | None = None,
) -> Iterator[Running]:
    """Serve until the block ends."""
    told: list[str] = []
    audit = Audit(folder / "audit.log")
    with Tickets(folder / "state") as tickets:
        service = Service(served, tickets, rules or Rules(), told.append, audit=audit, url=url, reissue="reissue")
        server = Server(Listen("127.0.0.1", 0), service, limits, tls)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield Running(server, service, tickets, folder / "audit.log", told)
        finally:
            server.slots.close(5)
            server.shutdown()
            thread.join(60)
            server.server_close()
            audit.close()


def reset(connection: socket.socket) -> None:
    """Leave without a word, as a machine that loses its power and comes back."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait until it is so."""
    pause = threading.Event()
    for _ in range(int(seconds * 50)):
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError("it did not come to pass")


def received(connection: socket.socket) -> bytes:
    """All that the peer sends until it ends."""
    found = b""
    while data := connection.recv(65536):
        found += data
    return found
