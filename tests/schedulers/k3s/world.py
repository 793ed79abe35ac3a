"""A k3s cluster for tests: a root folder for each host, in which coreops's own scripts run; the real kubectl as ``k3s
kubectl``; a fake Kubernetes behind it. ``systemctl`` and the rest of ``k3s`` are played.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from coreops.model import Record, ShellStep
from coreops.schedulers.k3s import make
from coreops.schedulers.k3s.settings import VARIABLES
from coreops.schedulers.protocol import Cluster, Host, Scheduler
from tests.schedulers.k3s.fake_kubernetes import Kubernetes, Object, Refusal, Server
from tests.schedulers.k3s.remembered import run_once

VERSION = "v1.32.4+k3s1"
AUTHORITY = "-----BEGIN CERTIFICATE-----\nk3s-server-ca\n-----END CERTIFICATE-----\n"
KUBECTL = shutil.which(os.environ.get("COREOPS_TEST_KUBECTL", "kubectl"))
needs_kubectl = pytest.mark.skipif(KUBECTL is None, reason="no kubectl (Debian: kubernetes-client)")

_K3S = """#!/bin/sh
case $1 in
    --version) echo "k3s version $(cat "$ROOT/opt/bin/version") (12345678)"; echo "go version go1.23.6" ;;
    kubectl)
        shift
        [ -z "$KUBECTL" ] || exec "$KUBECTL" "$@"
        for path; do :; done
        [ -r "$KUBECONFIG" ] && exec curl -sSf "$(sed 's/.*"server": "\\([^"]*\\)".*/\\1/' "$KUBECONFIG")$path"
        ;;
    *) exit 64 ;;
esac
"""
_SYSTEMCTL = """#!/bin/sh
# Knows what the scripts ask: show -p ActiveState -p NRestarts -- UNIT; what is to happen it notes.
case $1 in
    show) cat "$ROOT/run/systemd/${7}" ;;
    *) echo "$*" >>"$ROOT/run/systemd/asked" ;;
esac
"""
_JOURNALCTL = """#!/bin/sh
cat "$ROOT/run/systemd/journal" 2>/dev/null
"""


def cluster(hosts: Mapping[str, str], *, store: tuple[str, ...] = (), **settings: object) -> Cluster:
    """hosts: name -> role."""
    read = {key: VARIABLES[key](value) for key, value in {"k3s_version": VERSION, **settings}.items()}
    made = tuple(
        Host(name=name, address=f"10.0.0.{number}", role=role, settings=read)  # type: ignore[arg-type]
        for number, (name, role) in enumerate(hosts.items(), start=1)
    )
    return Cluster(scheduler="k3s", hosts=made, store=store, origin=lambda host, variable: f"inv.yml:{host}:{variable}")


class Box:
    """One host's file system, and the programs that the scripts find on it."""

    def __init__(self, root: Path, machine: str) -> None:
        self.root = root
        for folder in ("opt/bin", "etc/rancher/k3s/config.yaml.d", "etc/systemd/system", "run/systemd", "bin", "tmp"):
            (root / folder).mkdir(parents=True)
        for path, text in (("bin/systemctl", _SYSTEMCTL), ("bin/journalctl", _JOURNALCTL)):
            (root / path).write_text(text)
            (root / path).chmod(0o755)
        self.link(VERSION)
        (root / "opt/bin/version").write_text(VERSION + "\n")
        (root / "etc/machine-id").write_text(f"{machine}\n")

    def env(self, more: Mapping[str, str]) -> dict[str, str]:
        root = str(self.root)
        return {
            "PATH": f"{root}/opt/bin:{root}/bin:{os.environ['PATH']}", "ROOT": root, "HOME": root,
            "KUBECONFIG": f"{root}/etc/rancher/k3s/k3s.yaml", "LC_ALL": "C.UTF-8", "KUBECTL": KUBECTL or "", **more,
        }  # fmt: skip

    def sh(
        self, script: str, env: Mapping[str, str], shell: Sequence[str] = ("dash",)
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*shell, "-c", script],
            env=self.env(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def link(self, release: str) -> None:
        """Choose a release, as the playbook does."""
        (self.root / "opt/k3s" / release).mkdir(parents=True, exist_ok=True)
        (self.root / "opt/k3s" / release / "k3s").write_text(_K3S)
        (self.root / "opt/k3s" / release / "k3s").chmod(0o755)
        (self.root / "opt/bin/k3s").unlink(missing_ok=True)
        (self.root / "opt/bin/k3s").symlink_to(f"../k3s/{release}/k3s")

    def asked(self) -> list[str]:
        """What systemctl was asked to do since the last time."""
        path = self.root / "run/systemd/asked"
        found = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return found


ROLES = {"m1": "manager", "m2": "manager", "m3": "manager", "w1": "worker", "w2": "worker"}


def boxes(folder: Path, url: str) -> dict[str, Box]:
    """The hosts of a ``K3sWorld``; worlds do not change them, so they may have them one after the other."""
    made = {}
    for name, role in ROLES.items():
        made[name] = Box(folder / name, f"machine-of-{name}")
        settle(made[name], url, role)
    return made


class K3sWorld:
    """Three servers and two agents, joined and well. Fits ``tests.schedulers.worlds.World``."""

    node, other = "w1", "w2"

    def __init__(self, server: Server, hosts: Mapping[str, Box], shell: Sequence[str] = ("dash",)) -> None:
        self.server, self.shell, self.boxes = server, shell, hosts
        self.kube = server.cluster = Kubernetes()
        self.scheduler: Scheduler = make(cluster(ROLES))
        self.dead: set[str] = set()
        self._count = 0
        for name, role in ROLES.items():
            self.kube.node(name, server=role == "manager", etcd=role == "manager")

    def run(self, host: str, step: ShellStep) -> Record:
        assert host not in self.dead, f"{host} is dead"
        assert step.probe is None
        assert step.act is not None
        box, script = self.boxes[host], step.act
        if step.id == "get":
            asked = (script, *sorted(step.env.items()), *self.shell)
            done = run_once(box.root, self.server, asked, lambda: box.sh(script, step.env, self.shell))
        else:
            done = box.sh(script, step.env, self.shell)
        state = "ok" if done.returncode == 0 and not step.changes else "changed" if done.returncode == 0 else "failed"
        return Record(step.id, state, rc=done.returncode, stdout=done.stdout, stderr=done.stderr)  # type: ignore[arg-type]

    def tick(self) -> None:
        with self.kube.lock:
            self.kube.clock += 1.0
            self.kube.tick()

    def start(self, host: str, stubborn: bool = False) -> str:
        self._count += 1
        name = f"task{self._count}"
        with self.kube.lock:
            others = [
                node
                for node in self.kube.nodes
                if node != host and not self.kube.nodes[node]["spec"].get("unschedulable")
            ]
            for node in others:
                self.kube.nodes[node]["spec"]["unschedulable"] = True
            self.kube.deployment(name, 1)
            for node in others:
                del self.kube.nodes[node]["spec"]["unschedulable"]
            pod = next("/".join(key) for key in self.kube.pods if key[1].startswith(name + "-"))
            if stubborn:
                self.kube.held.add(pod)
        assert pod in self.kube.on(host)
        return name

    def let_go(self) -> None:
        self.kube.held.clear()

    def running(self, host: str) -> int:
        return sum("/task" in name for name in self.kube.on(host))

    def open(self, host: str) -> bool:
        return not self.kube.nodes[host]["spec"].get("unschedulable")

    def close(self, host: str) -> None:
        self.kube.unschedulable(host, True)

    def kill(self, host: str) -> None:
        self.dead.add(host)
        self.kube.ready(host, False)

    def secrets(self) -> Sequence[str]:
        return ("0" * 63 + "7", "0" * 63 + "8")


class PlayedWorld(K3sWorld):
    """The same without kubectl. Quick."""

    def run(self, host: str, step: ShellStep) -> Record:
        assert host not in self.dead, f"{host} is dead"
        return played(self.kube, step) or super().run(host, replace(step, env={**step.env, "KUBECTL": ""}))


def played(kube: Kubernetes, step: ShellStep) -> Record | None:
    """What ``kubectl.sh`` and kubectl would do; None for a step of another script."""

    def api(method: str, path: str, body: Object | None = None) -> Object:
        parts = urlsplit(path)
        return kube.answer(method, parts.path, parse_qs(parts.query), body)[1]

    def evict(line: str) -> str:
        space, name, uid = line.split()
        body = {
            "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": space},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }  # fmt: skip
        try:
            api("POST", f"/api/v1/namespaces/{space}/pods/{name}/eviction", body)
        except Refusal as refusal:
            return f"{space}/{name}\t1\t{_words(refusal)}\n"
        return f"{space}/{name}\t0\t\n"

    env, out, code, error = step.env, b"", 0, ""
    try:
        match step.id:
            case "get":
                lines = [json.dumps(api("GET", path)) + "\n" for path in env["PATHS"].split()]
                out = gzip.compress("".join(lines).encode())
            case "patch":
                api("PATCH", f"/api/v1/nodes/{env['NODE']}", json.loads(env["PATCH"]))
            case "evict":
                out = "".join(map(evict, env["PODS"].splitlines())).encode()
            case "forget":
                secret = f"/api/v1/namespaces/kube-system/secrets/{env['NODE']}.node-password.k3s"
                for path in (f"/api/v1/nodes/{env['NODE']}", secret):
                    with suppress(Refusal):
                        api("DELETE", path)
            case _:
                return None
    except Refusal as refusal:
        code, error = 1, _words(refusal)
    state = "failed" if code else "changed" if step.changes else "ok"
    return Record(step.id, state, rc=code, stdout=out, stderr=error.encode())  # type: ignore[arg-type]


def _words(refusal: Refusal) -> str:
    return f"Error from server ({refusal.status['reason']}): {refusal}"


def settle(box: Box, url: str, role: str) -> None:
    """As k3s and bootstrap leave a host that has joined."""
    unit = "k3s" if role == "manager" else "k3s-agent"
    authority = hashlib.sha256(AUTHORITY.encode()).hexdigest()
    box.write(f"etc/systemd/system/{unit}.service", "# Managed by coreops.\n")
    box.write(f"run/systemd/{unit}.service", "ActiveState=active\nNRestarts=0\n")
    box.write("etc/rancher/k3s/joined", "")
    box.write("etc/rancher/k3s/token", "0" * 63 + ("7" if role == "manager" else "8") + "\n")
    files = Path(__file__).parents[3] / "playbooks/files/k3s"
    for name in ("fingerprint.sh", "guard.sh"):
        shutil.copy(files / name, box.root / "etc/rancher/k3s" / name)
    if role == "manager":
        box.write("etc/rancher/k3s/formed", "")
        (box.root / "var/lib/rancher/k3s/server/db/etcd/member").mkdir(parents=True)
        box.write("var/lib/rancher/k3s/server/token", f"K10{authority}::server:{'0' * 63}7\n")
        kubeconfig(box, url)
    else:
        box.write("var/lib/rancher/k3s/agent/client-kubelet.crt", "")
        box.write("var/lib/rancher/k3s/agent/server-ca.crt", AUTHORITY)
        box.write("etc/rancher/k3s/cluster", f"{authority}\n")
    done = box.sh(
        'sh "$ROOT/etc/rancher/k3s/guard.sh" "$ROOT/opt/bin" ' + ("embedded" if role == "manager" else "elsewhere"), {}
    )
    assert done.returncode == 0, done.stderr


def kubeconfig(box: Box, url: str) -> None:
    box.write(
        "etc/rancher/k3s/k3s.yaml",
        '{"apiVersion": "v1", "kind": "Config", "current-context": "default",'
        f' "clusters": [{{"name": "default", "cluster": {{"server": "{url}"}}}}],'
        ' "contexts": [{"name": "default", "context": {"cluster": "default", "user": "default"}}],'
        ' "users": [{"name": "default", "user": {}}]}\n',
    )
