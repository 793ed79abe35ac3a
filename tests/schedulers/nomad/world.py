"""A world for the conformance suite around the fake Nomad: asked in this process, or for real, by the step's own sh and
curl over TLS with certificates that the project's own authority signed.
"""

from __future__ import annotations

import http.server
import os
import ssl
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from coreops.model import Record, ShellStep
from coreops.schedulers.nomad import make
from coreops.schedulers.protocol import Cluster, Host, Scheduler
from coreops.store import pki
from tests.schedulers.nomad.fake_nomad import FakeNomad

SERVERS = ["n1", "n2", "n3"]
CLIENTS = ["n1", "n2", "n3", "w1", "w2"]


def cluster(servers: Sequence[str] = SERVERS, hosts: Sequence[str] = CLIENTS, **settings: Any) -> Cluster:
    return Cluster(
        scheduler="nomad",
        hosts=tuple(
            Host(
                name=name,
                address=f"10.0.0.{number}",
                role="manager" if name in servers else "worker",
                zone="a",
                labels={"zone": "a"},
                settings={f"nomad_{key}": value for key, value in {"version": "1.7.7", **settings}.items()},
            )
            for number, name in enumerate(hosts, 1)
        ),
    )


class NomadWorld:
    """node: a worker, or a server that also takes work."""

    def __init__(self, node: str = "w1", other: str = "w2", *, hasty: bool = True, **settings: Any) -> None:
        self.scheduler = cast(Scheduler, make(cluster(**settings)))
        self.node, self.other = node, other
        self.nomad = FakeNomad(SERVERS, CLIENTS, hasty=hasty)
        self.jobs = 0
        self.wanted = self.nomad.keys[0]
        self.token = str(uuid.uuid4()) if settings.get("acl") else ""
        self.placed = dict.fromkeys(SERVERS, self.token)
        if self.token:
            self.nomad.acl, self.nomad.tokens = set(CLIENTS), [self.token]

    def run(self, host: str, step: ShellStep) -> Record:
        if step.id == "nomad-look":
            return Record(step.id, "ok", stdout=LOOK)
        if step.id.startswith("nomad-gossip"):
            return Record(step.id, "ok", stdout=self.gossip(step.env["OP"]))
        env = step.env
        assert env["URL"].startswith("https://127.0.0.1:4646")
        if step.id == "nomad-acl":
            body = f'{{"BootstrapSecret": "{self.token}"}}'.encode()
            status, _, said = self.nomad.handle(host, "PUT", "/v1/acl/bootstrap", body, self.token)
            return Record(step.id, "changed", stdout=f"{status} ".encode() + (said if status != 200 else b""))
        path = env["URL"].removeprefix("https://127.0.0.1:4646")
        if "PATHS" in env:
            said = [self.ask(host, env, each) + b"\x1e" for each in env["PATHS"].split()]
            return Record(step.id, "ok", stdout=b"".join(said))
        sent = (step.blobs[0].data if step.blobs else None) or env.get("BODY", "").encode()
        assert not (sent and "TOKEN" in env), "both would go by standard input"
        return Record(step.id, "ok" if step.probe else "changed", stdout=self.ask(host, env, path, sent))

    def ask(self, host: str, env: Mapping[str, str], path: str, sent: bytes = b"") -> bytes:
        """What curl prints."""
        token = env.get("TOKEN") or self.on_node(host)
        status, headers, body = self.nomad.handle(host, env["METHOD"], path, sent, token)
        lines = [f"HTTP/1.1 {status} x", *(f"{key}: {value}" for key, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + body + f"\n{status}".encode()

    def on_node(self, host: str) -> str:
        """The token that the playbook has put there: servers only."""
        return self.placed.get(host, "")

    def keep(self, name: str, content: bytes) -> None:
        assert name == "nomad-token"
        self.token = content.decode().strip()

    def install(self, host: str) -> None:
        if host in self.placed:
            self.placed[host] = self.token

    def good(self, name: str) -> Sequence[str]:
        return self.nomad.tokens

    def used(self, name: str) -> Sequence[str]:
        return [self.token, *self.placed.values()]

    def gossip(self, verb: str) -> bytes:
        """What gossip.sh does; the key that the playbook has put on the nodes is ``wanted``."""
        nomad = self.nomad
        if verb == "remove":
            nomad.keys = [self.wanted]
        elif verb != "list":
            body = f'{{"Key": "{self.wanted}"}}'.encode()
            nomad.handle("n1", "PUT", f"/v1/agent/keyring/{verb}", body, self.token)
        alive = sum(each.status == "alive" for each in nomad.servers)
        return f"{len(nomad.keys)} {alive if self.wanted in nomad.keys else 0} {alive}\n".encode()

    def tick(self) -> None:
        self.nomad.tick()

    def start(self, host: str, stubborn: bool = False) -> str:
        self.jobs += 1
        word = f"job-{self.jobs}"
        self.nomad.run(host, word, stubborn=stubborn)
        return word

    def let_go(self) -> None:
        for alloc in self.nomad.allocs:
            alloc.stubborn = False

    def running(self, host: str) -> int:
        return sum(each.node.name == host and each.status == "running" for each in self.nomad.allocs)

    def open(self, host: str) -> bool:
        node = self.nomad.named(host)
        return node.eligible and node.status == "ready"

    def close(self, host: str) -> None:
        id = self.nomad.named(host).id
        body = b'{"Eligibility": "ineligible"}'
        self.nomad.handle("n1", "PUT", f"/v1/node/{id}/eligibility", body, self.token)

    def kill(self, host: str) -> None:
        self.nomad.kill(host)

    def secrets(self) -> Sequence[str]:
        return [*self.nomad.keys, *self.nomad.tokens]


UNIT = "LoadState=loaded ActiveState=active SubState=running FragmentPath=/etc/systemd/system/nomad.service"
LOOK = f"""unit {UNIT}
ours yes
current 1.7.7
wanted 1.7.7
release 0123456789ab
chosen 0123456789ab
raft yes
fingerprint abc
started_with abc
""".encode()


class Agents:
    """The fake's agents, each on a port of its own, behind TLS that wants a certificate of our authority."""

    def __init__(self, folder: Path, scheduler: Scheduler) -> None:
        self.folder = folder
        made = pki.load(folder / "pki", scheduler.certificates())
        pki.save(made)
        self.nomad: FakeNomad | None = None
        self.servers = {host.name: self._serve(host.name) for host in scheduler.cluster.hosts}
        self.ports: Mapping[str, int] = {name: each.server_port for name, each in self.servers.items()}

    def _serve(self, name: str) -> http.server.ThreadingHTTPServer:
        own = self.folder / name / "pki"
        own.mkdir(parents=True)
        kept = self.folder / "pki"
        for source, target in (
            ("ca.crt", "ca.crt"),
            (f"nomad/{name}.crt", "node.crt"),
            (f"nomad/{name}.key", "node.key"),
        ):
            (own / target).write_bytes((kept / source).read_bytes())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(own / "node.crt", own / "node.key")
        context.load_verify_locations(own / "ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        agents = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                assert agents.nomad is not None
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, said = agents.nomad.handle(
                    name, self.command, self.path, body, self.headers.get("X-Nomad-Token", "")
                )
                self.send_response(status)
                for key, value in {**headers, "Content-Length": str(len(said))}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_PUT = do_POST = do_DELETE = answer

            def log_message(self, *args: object) -> None: ...

        class Quiet(http.server.ThreadingHTTPServer):
            def get_request(self) -> Any:
                connection, address = super().get_request()
                return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that is turned away is no news."""

        server = Quiet(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return server

    def close(self) -> None:
        for server in self.servers.values():
            server.shutdown()
            server.server_close()


class RealWorld(NomadWorld):
    """Every request is made by the step's own sh and curl."""

    def __init__(self, agents: Agents, node: str = "w1", other: str = "w2") -> None:
        super().__init__(node, other)
        self.agents = agents
        agents.nomad = self.nomad

    def run(self, host: str, step: ShellStep) -> Record:
        if step.id == "nomad-look" or step.id.startswith("nomad-gossip"):
            return super().run(host, step)
        url = step.env["URL"].replace(":4646", f":{self.agents.ports[host]}", 1)
        return shell(step, {**step.env, "URL": url, "PKI": str(self.agents.folder / host / "pki")})


def shell(step: ShellStep, env: Mapping[str, str]) -> Record:
    """Run a step with sh, as a node would."""
    text = step.probe or step.act or ""
    with tempfile.NamedTemporaryFile() as blob:
        for each in step.blobs:
            blob.write(each.data or b"")
            blob.flush()
            env = {**env, "blob1": blob.name}
        done = subprocess.run(
            ["sh", "-c", text], env={"PATH": os.environ["PATH"], **env}, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=30, check=False,
        )  # fmt: skip
    good = "ok" if step.probe else "changed"
    state: Any = good if done.returncode == 0 else "failed"
    return Record(step.id, state, rc=done.returncode, stdout=done.stdout, stderr=done.stderr)
