"""A Nomad that is none, on real nodes: a program that systemd starts and that reads its configuration as the real one
would, while what it answers comes from the fake of the unit tests, on the node's own loopback and behind the
certificates that are on the node.
"""

from __future__ import annotations

import ctypes
import http.server
import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from coreops.providers.namespace.lab import Lab
from tests.schedulers.nomad.fake_nomad import FakeNomad
from tests.schedulers.nomad.fake_state import Node, Server

PORT = 4646
PROGRAM = """#!/bin/sh
# Stands in for Nomad: takes its arguments, reads all of its configuration, and lives until it is told to end.
case $1 in
    version) echo "Nomad vVERSION" ;;
    agent)
        cat "$3"/*.json "$3"/pki/ca.crt "$3"/pki/node.crt "$3"/pki/node.key >/dev/null || exit 1
        data=$(sed -n 's/^  "data_dir": "\\(.*\\)",*$/\\1/p' "$3/nomad.json")
        [ ! -e "$3/gossip.json" ] || mkdir -p "$data/server/raft" || exit 1
        trap 'rm -f "$data/alive"; exit 0' INT TERM
        echo VERSION >"$data/alive.new" && mv "$data/alive.new" "$data/alive" || exit 1
        while :; do sleep 0.1; done
        ;;
    *) exit 1 ;;
esac
"""


class Cluster:
    """servers, clients: the nodes that are one. started: every start, in the order in which they were seen."""

    def __init__(self, lab: Lab, servers: list[str], clients: list[str]) -> None:
        self.lab, self.names, self.clients = lab, servers, clients
        self.nomad = FakeNomad([], [])
        self.roots = {name: _root(lab, name) for name in servers}
        self.started: list[str] = []
        self._lives: dict[str, int] = {}
        self._lock = threading.Lock()
        self._servers = [self._serve(name) for name in servers]

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def file(self, name: str, path: str) -> Path:
        """A file of a node, from outside."""
        return self.roots[name] / path.lstrip("/")

    def life(self, name: str) -> int:
        """Which start of the agent is alive; 0 for none."""
        try:
            return self.file(name, "/var/lib/nomad/alive").stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def handle(self, name: str, method: str, target: str, body: bytes, token: str) -> tuple[int, dict[str, str], bytes]:
        with self._lock:
            self._follow()
            self.nomad.tick()
            return self.nomad.handle(name, method, target, body, token)

    def _follow(self) -> None:
        """Let the fake see which agents have started."""
        for name in self.names:
            life = self.life(name)
            if not life or life == self._lives.get(name):
                continue
            self._lives[name] = life
            self.started.append(name)
            config = json.loads(self.file(name, "/etc/nomad.d/nomad.json").read_text())
            if config.get("acl", {}).get("enabled"):
                self.nomad.acl.add(name)
            version = self.file(name, "/var/lib/nomad/alive").read_text().strip()
            agents: list[Server | Node] = [*self.nomad.servers, *self.nomad.nodes.values()]
            mine = [each for each in agents if each.name == name]
            for each in mine:
                each.version = version
            if not mine:
                self.nomad.servers.append(Server(f"id-{name}", name, peer=False, version=version))
                if name in self.clients:
                    self.nomad.nodes[f"node-{name}"] = Node(f"node-{name}", name, version=version)
        if len(self.nomad.servers) < len(self.names):
            return
        if self.nomad.leader is None:
            assert all(self.file(name, "/etc/nomad.d/first.json").exists() for name in self.names)
            self.nomad.leader = self.names[0]
            text = self.file(self.names[0], "/etc/nomad.d/gossip.json").read_text()
            self.nomad.keys = [text.split('"encrypt": "')[1].split('"')[0]]
        for server in self.nomad.servers:
            server.peer = True

    def _serve(self, name: str) -> http.server.ThreadingHTTPServer:
        cluster = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                token = self.headers.get("X-Nomad-Token", "")
                status, headers, said = cluster.handle(name, self.command, self.path, body, token)
                self.send_response(status)
                for key, value in {**headers, "Content-Length": str(len(said))}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_PUT = do_POST = do_DELETE = answer

            def log_message(self, *args: object) -> None: ...

        class Agent(http.server.ThreadingHTTPServer):
            def get_request(self) -> Any:
                connection, address = super().get_request()
                if not cluster.life(name):
                    connection.close()
                    raise OSError("no agent runs")
                return cluster.context(name).wrap_socket(
                    connection, server_side=True, do_handshake_on_connect=False
                ), address

            def handle_error(self, request: Any, client_address: Any) -> None: ...

        server = Agent(("127.0.0.1", PORT), Handler, bind_and_activate=False)
        server.socket.close()
        with _inside(self.lab.names_of(name).netns):
            server.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        server.server_bind()
        server.server_activate()
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return server

    def context(self, name: str) -> ssl.SSLContext:
        """As an agent has it from its configuration."""
        pki = self.file(name, "/etc/nomad.d/pki")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki / "node.crt", pki / "node.key")
        context.load_verify_locations(pki / "ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        return context


def _root(lab: Lab, name: str) -> Path:
    """The root folder of a node, through its init."""
    inode = os.stat(f"/run/netns/{lab.names_of(name).netns}").st_ino
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "ns/net") == f"net:[{inode}]" and (process / "comm").read_text() == "systemd\n":
                status = (process / "status").read_text()
                if "\nNSpid:" in status and status.split("\nNSpid:")[1].split("\n")[0].split()[-1] == "1":
                    return process / "root"
        except OSError:
            continue
    raise AssertionError(f"{name} has no init")


@contextmanager
def _inside(netns: str) -> Iterator[None]:
    """This thread is in a network namespace; sockets that it makes stay there."""
    libc = ctypes.CDLL(None, use_errno=True)
    own, other = os.open("/proc/thread-self/ns/net", os.O_RDONLY), os.open(f"/run/netns/{netns}", os.O_RDONLY)
    try:
        assert libc.setns(other, 0x40000000) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            assert libc.setns(own, 0x40000000) == 0
    finally:
        os.close(own)
        os.close(other)
