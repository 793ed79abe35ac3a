"""The registry and heal on real nodes: three members of a store and a worker. The tests build on each other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from coreops.providers.namespace.lab import Lab
from tests.lab import inside
from tests.lab.store_client import CALM
from tests.support import warm

pytestmark = pytest.mark.lab

COMMAND = [sys.executable, "-c", warm.MAIN]


def until(what: Callable[[], Any], seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)
    return found


@dataclass
class Cluster:
    lab: Lab
    folder: Path
    changes: list[dict[str, Any]] = field(default_factory=list)

    def write(self, **own: dict[str, Any]) -> None:
        """n4 is a worker. own: more variables of a host."""
        whole = yaml.safe_load((self.lab.inventory / "hosts.yml").read_text())["all"]
        hosts = {name: {**each, **own.get(name, {})} for name, each in whole["children"]["store"]["hosts"].items()}
        worker = {"n4": hosts.pop("n4")}
        groups = {"store": {"hosts": hosts}, "workers": {"hosts": worker}}
        (self.folder / "hosts.yml").write_text(
            yaml.safe_dump({"all": {"vars": {**whole["vars"], "etcd_flags": CALM}, "children": groups}})
        )

    def run(self, *words: str, expect: int = 0) -> str:
        done = warm.run([*COMMAND, *words], timeout=400, cwd=self.folder.parent)
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout

    def bootstrap(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("bootstrap", str(self.folder), "--json").splitlines()[-1])
        return found

    def nodes(self) -> dict[str, dict[str, Any]]:
        lines = self.run("nodes", "-i", str(self.folder), "--json").splitlines()
        return {found["host"]: found for found in map(json.loads, lines)}

    def sh(self, node: str, command: str) -> str:
        return inside.sh(self.lab, node, command)

    def heard(self, host: str, change: str) -> dict[str, Any] | None:
        return next((each for each in self.changes if (each["host"], each["change"]) == (host, change)), None)


@pytest.fixture(scope="module")
def cluster(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    name = f"r{os.getpid()}"
    base = tmp_path_factory.mktemp("registration")
    (base / "inventory").mkdir()
    try:
        made = Cluster(Lab.up(name, nodes=4, zones=3, inventory_folder=base / "lab"), base / "inventory")
        made.write(n4={"node_labels": {"disk": "ssd 'x' $(id)"}})
        yield made
    finally:
        Lab.down(name)


@pytest.fixture(scope="module")
def watching(cluster: Cluster) -> Iterator[subprocess.Popen[str]]:
    """``nodes --watch`` for as long as the tests take; on store host n1 first, as it is the first of the inventory."""
    process = subprocess.Popen(
        [*COMMAND, "nodes", "-i", str(cluster.folder), "--watch", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cluster.folder.parent,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip

    def read() -> None:
        for line in process.stdout or ():
            cluster.changes.append(json.loads(line))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    yield process
    if process.poll() is None:
        process.kill()
    process.wait(timeout=60)
    reader.join(timeout=60)
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()


def test_bootstrap_registers_every_node_once(cluster: Cluster) -> None:
    cluster.bootstrap()
    nodes = cluster.nodes()
    assert {host: found["registered"] for host, found in nodes.items()} == dict.fromkeys(nodes, "registered")
    record = nodes["n4"]["registry"]
    assert record["labels"] == {"disk": "ssd 'x' $(id)"}
    assert (record["slot"], record["version"], record["zone"]) == ("USR-A", "1.0.0", "z1")
    assert record["boot_id"] == cluster.sh("n4", "cat /proc/sys/kernel/random/boot_id")
    assert record["machine_id"] == cluster.sh("n4", "cat /etc/machine-id")
    again = cluster.bootstrap()
    assert again["changes"] == []
    assert set(again["exchanges"].values()) == {1}
    assert again["further"]["registry"]["exchanges"] == dict.fromkeys(("n1", "n2", "n3", "n4"), 1)


def test_the_key_is_the_node_s_own(cluster: Cluster) -> None:
    folder = "/etc/coreops/registration/pki"
    assert cluster.sh("n4", f"stat -c %a:%U {folder}/client.key") == "600:coreops-node"
    assert cluster.sh("n4", "systemctl show coreops-registration.service -p User --value") == "coreops-node"
    assert "client.key" not in cluster.sh("n4", "ls /etc/etcd/pki 2>/dev/null || :")


def test_a_node_that_dies_disappears_and_a_wiped_member_is_healed(
    cluster: Cluster, watching: subprocess.Popen[str]
) -> None:
    until(lambda: cluster.heard("n4", "listed"), 90)
    before = cluster.nodes()["n4"]["registry"]
    cluster.sh("n4", "sync")  # bootstrap wrote to it a moment ago, and a power cut takes what is not on the disk
    cluster.lab.chaos("n4", "kill")
    until(lambda: cluster.heard("n4", "gone"), 120)  # until then it is taken to live
    cluster.sh("n2", "systemctl kill -s KILL etcd; rm -rf /var/lib/etcd/member")
    assert "to do    have n2 serve in etcd again: it lost its data" in cluster.run(
        "heal", "-i", str(cluster.folder), expect=4
    )
    said = cluster.run("heal", "-i", str(cluster.folder), "--yes", expect=3)
    assert "waiting  n4: it" in said
    key = "--cacert /etc/etcd/pki/ca.crt --cert /etc/etcd/pki/client.crt --key /etc/etcd/pki/client.key"
    listed = cluster.sh("n2", f"ETCDCTL_API=3 /opt/etcd/current/etcdctl {key} member list -w json")
    members = json.loads(listed)["members"]
    assert {entry["name"] for entry in members if not entry.get("isLearner")} == {"n1", "n2", "n3"}
    assert cluster.nodes()["n4"]["registered"] == "missing"
    cluster.lab.chaos("n4", "poweron")
    back = until(lambda: cluster.heard("n4", "there"), 120)["now"]
    assert back["machine_id"] == before["machine_id"]
    assert back["boot_id"] != before["boot_id"]


def test_a_node_that_is_not_to_register_loses_the_unit_and_leaves_at_once(
    cluster: Cluster, watching: subprocess.Popen[str]
) -> None:
    cluster.write(n4={"node_registry": False})
    cluster.bootstrap()
    cluster.changes.clear()
    assert cluster.nodes()["n4"]["registered"] == "not registered"
    assert cluster.sh("n4", "ls -d /etc/coreops/registration /etc/systemd/system/coreops-reg* 2>/dev/null || :") == ""
    assert cluster.bootstrap()["changes"] == []
    watching.send_signal(signal.SIGINT)
    assert watching.wait(timeout=90) == 0
    assert "nothing is dead" in cluster.run("heal", "-i", str(cluster.folder))
