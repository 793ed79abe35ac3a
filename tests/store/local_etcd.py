"""Real etcd processes on loopback that stand in for nodes: what ``store.nodes.Nodes`` does over SSH, done here with
``sh`` and Popen. The settings come from the shipped templates; ``systemctl`` is a small script.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import jinja2

from coreops.errors import HostFailed
from coreops.model import Record, ShellStep
from coreops.store import etcdctl, gateway, pki, wanted
from coreops.store.cluster import OPERATOR, Member
from coreops.store.observe import Node
from tests.support.ports import free_port

TEMPLATES = wanted.default_playbook().parent / "templates" / "etcd"

SYSTEMCTL = """#!/bin/sh
case $1 in stop | restart) ;; *) exit 9 ;; esac
pid=$(cat "$PIDFILE" 2>/dev/null) || exit 0
kill "$pid"
while [ -d "/proc/$pid" ] && ! grep -q '^State:.*Z' "/proc/$pid/status"; do sleep 0.05; done
echo "$1" >"$PIDFILE.request"
"""


class LocalEtcd:
    """Up to five members n1..n5."""

    def __init__(self, binaries: Path, folder: Path, size: int = 5) -> None:
        ports = [free_port() for _ in range(2 * size)]
        self.folder = folder
        self.bin = binaries
        self.all = tuple(
            Member(f"n{i + 1}", "127.0.0.1", ports[2 * i], ports[2 * i + 1], data_dir=str(folder / f"n{i + 1}/data"))
            for i in range(size)
        )
        self.pki = pki.load(folder / "pki", [OPERATOR, *(m.leaf for m in self.all)])
        pki.save(self.pki)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.stale: set[str] = set()
        self.numbers = count(1)
        tools = folder / "tools"
        tools.mkdir()
        (tools / "systemctl").write_text(SYSTEMCTL)
        (tools / "systemctl").chmod(0o755)

    def extra(self, members: Sequence[Member]) -> dict[str, Any]:
        firsts = wanted.first_members(members)
        return {"etcd_first": {n: {"members": text, "state": state} for n, (text, state) in firsts.items()}}

    # --- what Nodes offers -------------------------------------------------------------------------------------------

    def name(self, word: str) -> str:
        return f"{word}{next(self.numbers)}"

    def look(self, members: Sequence[Member], wait: Mapping[str, int] | None = None) -> dict[str, Node]:
        deadline = time.monotonic() + max((wait or {}).values(), default=0)
        while True:
            found = {m.name: self._node(m) for m in members}
            settled = all(n.healthy or not n.active or (n.status and n.status.learner) for n in found.values())
            if settled or time.monotonic() > deadline:
                return found
            time.sleep(0.1)

    def play(self, tags: Sequence[str], hosts: Sequence[str], extra: Mapping[str, Any]) -> None:
        for host in hosts:
            if "first" in tags:
                self._env("cluster.env", host, extra)
            if "start" in tags and not self.running(host):
                self.start(host)

    def run(self, steps: Mapping[str, Sequence[ShellStep]]) -> dict[str, dict[str, Record]]:
        return {host: {step.id: self._step(host, step) for step in own} for host, own in steps.items()}

    # --- processes ---------------------------------------------------------------------------------------------------

    def member(self, host: str) -> Member:
        return next(m for m in self.all if m.name == host)

    def running(self, host: str) -> bool:
        process = self.processes.get(host)
        return process is not None and process.poll() is None

    def start(self, host: str) -> None:
        home = self.folder / host
        (home / "data").mkdir(mode=0o700, parents=True, exist_ok=True)
        self._env("etcd.env", host, {})
        text = (home / "etcd.env").read_text() + (home / "cluster.env").read_text()
        pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
        env = {k: json.loads(v) if v.startswith('"') else v for k, v in pairs}
        if host in self.processes:
            self.processes[host].wait(timeout=60)
        with (home / "log").open("ab") as log:
            self.processes[host] = subprocess.Popen([self.bin / "etcd"], env=env, stdout=log, stderr=log)
        (home / "pid").write_text(str(self.processes[host].pid))
        self.stale.discard(host)

    def kill(self, host: str) -> None:
        process = self.processes[host]
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)

    def wipe(self, host: str) -> None:
        self.kill(host)
        shutil.rmtree(Path(self.member(host).data_dir) / "member")

    def close(self) -> None:
        self._http.close()
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait(timeout=60)

    def sh(self, host: str, script: str) -> subprocess.CompletedProcess[bytes]:
        home = self.folder / host
        leaf = self.member(host).leaf
        here = {
            "/opt/etcd/current": str(self.bin),
            "/etc/etcd/pki/member": str(self.folder / "pki" / leaf.file),
            "/etc/etcd/pki": str(self.folder / "pki"),
            "/etc/etcd": str(home),
        }
        for there, instead in here.items():
            script = script.replace(there, instead)
        path = f"{self.folder / 'tools'}:{os.environ['PATH']}"
        env = {"PATH": path, "PIDFILE": str(home / "pid")}
        return subprocess.run(["sh", "-c", script], env=env, capture_output=True, timeout=120, check=False)

    def _step(self, host: str, step: ShellStep) -> Record:
        done = self.sh(host, step.probe or step.act or "")
        request = self.folder / host / "pid.request"
        if request.exists():
            if request.read_text() == "restart\n":
                self.start(host)
            request.unlink()
        if done.returncode:
            raise HostFailed(step.title, where=host, why=done.stderr.decode())
        return Record(step.id, "ok", stdout=done.stdout, stderr=done.stderr)

    def _env(self, name: str, host: str, extra: Mapping[str, Any]) -> None:
        jinja = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
        jinja.filters["to_json"] = json.dumps
        text = jinja.from_string((TEMPLATES / f"{name}.j2").read_text()).render(
            etcd_member=self.member(host).variables(), inventory_hostname=host, etcd_token=self.pki.token,
            ansible_managed="test", **extra,
        )  # fmt: skip
        text = text.replace("/etc/etcd/pki/member", str(self.folder / "pki" / self.member(host).leaf.file))
        text = text.replace("/etc/etcd/pki", str(self.folder / "pki"))
        (self.folder / host).mkdir(exist_ok=True)
        (self.folder / host / name).write_text(text)

    def _node(self, member: Member) -> Node:
        home = self.folder / member.name
        first = home / "cluster.env"
        known = dict(line.split("=", 1) for line in first.read_text().splitlines()[2:]) if first.exists() else {}
        node = Node(
            host=member.name,
            active=self.running(member.name),
            data=self._has_data(member),
            formed=(home / "formed").exists(),
            first=known.get("ETCD_INITIAL_CLUSTER", "").strip('"'),
            stale=member.name in self.stale,
        )
        if not node.active:
            return node
        ends = [f"https://127.0.0.1:{member.client_port}"]
        healthy = self._healthy(member)
        if healthy:
            (home / "formed").touch()  # the unit's ExecStartPost
        # An etcdctl each time would be most of what the tests cost; and who has no health has no list.
        members = self._json(member, "member", "list", endpoints=ends) if healthy else ""
        return Node(
            host=member.name, active=True, data=self._has_data(member), formed=node.formed or healthy, first=node.first,
            stale=node.stale, healthy=healthy,
            members=etcdctl.parse_members(members) if members else None,
            status=self._status(member),
        )  # fmt: skip

    def _has_data(self, member: Member) -> bool:
        return (Path(member.data_dir) / "member").is_dir()

    @cached_property
    def _http(self) -> httpx.Client:
        tls = ssl.create_default_context(cafile=str(self.folder / "pki/ca.crt"))
        tls.load_cert_chain(self.folder / "pki/client.crt", self.folder / "pki/client.key")
        return httpx.Client(verify=tls, headers={"Connection": "close"}, trust_env=False)

    @property
    def _patience(self) -> int:
        """Seconds for an answer: without most of the others there will be none; else this machine may be busy."""
        return 30 if 2 * sum(map(self.running, self.processes)) > len(self.processes) else 2

    def _healthy(self, member: Member) -> bool:
        """What ``etcdctl endpoint health`` says, which waits for an election."""
        deadline = time.monotonic() + self._patience
        while True:
            code, said = self._ask("GET", member, gateway.HEALTH)
            moving = "NO LEADER" in said or "leader changed" in said
            if not moving or time.monotonic() > deadline:
                return code == 200 and gateway.parse_health(said)
            time.sleep(0.1)

    def _status(self, member: Member) -> etcdctl.Status | None:
        code, said = self._ask("POST", member, gateway.STATUS, "{}")
        return gateway.parse_status(said) if code == 200 else None

    def _ask(self, method: str, member: Member, path: str, body: str | None = None) -> tuple[int, str]:
        try:
            said = self._http.request(method, member.client_url + path, content=body, timeout=self._patience)
            return said.status_code, said.text
        except httpx.HTTPError:
            return 0, ""

    def _json(self, member: Member, *words: str, endpoints: list[str]) -> str:
        line = etcdctl.line("-w", "json", *words, endpoints=endpoints, timeout=self._patience)
        return self.sh(member.name, f"{line} 2>/dev/null").stdout.decode().strip()
