"""``coreops bootstrap`` with k3s on three real nodes, from bare: what k3s itself does is played (``k3s_played.sh``),
in a real unit, with the real store behind it. What is proven: files, modes, secrets, certificates, the unit, the order.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from coreops.providers.namespace.lab import Lab
from coreops.store import lockfile
from tests.lab import inside
from tests.lab.store_client import CALM
from tests.schedulers.k3s.fake_kubernetes import Kubernetes, Server
from tests.schedulers.k3s.world import KUBECTL, Box, kubeconfig, needs_kubectl
from tests.support import warm

pytestmark = pytest.mark.lab
PLAYED = Path(__file__).with_name("k3s_played.sh")


class Cluster:
    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        digest = hashlib.sha256(PLAYED.read_bytes()).hexdigest()
        shutil.copy(PLAYED, folder.parent / "k3s")
        (folder.parent / "images.tar").write_bytes(b"images")
        images = hashlib.sha256(b"images").hexdigest()
        (folder / lockfile.FILE_NAME).write_text(
            lockfile.DEFAULT.read_text()
            + f"  - {{name: k3s, version: v1.32.4+k3s1, arch: amd64, sha256: {digest}, path: ../k3s}}\n"
            + f"  - {{name: k3s-images, version: v1.32.4+k3s1, arch: amd64, sha256: {images}, path: ../images.tar}}\n"
        )
        self.write()

    def write(self, **variables: Any) -> None:
        whole = yaml.safe_load((self.lab.inventory / "hosts.yml").read_text())["all"]
        hosts = {
            name: {key: value for key, value in own.items() if key != "zone"}
            for name, own in whole["children"]["store"]["hosts"].items()
        }
        own = (
            whole["vars"]
            | {"scheduler": "k3s", "k3s_version": "v1.32.4+k3s1", "k3s_images": True, "etcd_flags": CALM}
            | variables
        )
        text = {"all": {"vars": own, "children": {"store": {"hosts": hosts}}}}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(text))

    def coreops(self, *words: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        done = warm.run([sys.executable, "-c", warm.MAIN, *words], timeout=300, cwd=self.folder.parent)
        assert done.returncode == expect, done.stdout + done.stderr
        return done

    def bootstrap(self, expect: int = 0) -> dict[str, Any]:
        done = self.coreops("bootstrap", str(self.folder), "--json", expect=expect)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    def nodes(self) -> dict[str, dict[str, Any]]:
        """What ``coreops nodes`` tells."""
        told = map(json.loads, self.coreops("nodes", "-i", str(self.folder), "--json").stdout.splitlines())
        return {each["host"]: each for each in told if each.get("event") == "node"}

    def put(self, node: str, content: bytes, path: str, mode: str = "0600") -> None:
        script = f"mkdir -p {os.path.dirname(path)} && cat >{path} && chmod {mode} {path}"
        inside.sh(self.lab, node, script, stdin=content)

    def sh(self, node: str, command: str) -> str:
        return inside.sh(self.lab, node, command)


@pytest.fixture(scope="module")
def cluster(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    name = f"k{os.getpid()}"
    base = tmp_path_factory.mktemp("k3s")
    (base / "inventory").mkdir()
    try:
        yield Cluster(Lab.up(name, nodes=3, zones=3, inventory_folder=base / "lab"), base / "inventory")
    finally:
        Lab.down(name)


def test_from_bare_nodes_to_servers_that_run(cluster: Cluster) -> None:
    first = cluster.bootstrap()
    changes = first["further"]["scheduler"]["changes"]
    assert [each for each in changes if "join" in each or "form" in each] == [
        "form the cluster on n1",
        "let n2 join as a server",
        "let n3 join as a server",
    ]
    assert cluster.bootstrap()["further"]["scheduler"]["changes"] == []

    assert cluster.sh("n2", "cat /var/lib/rancher/k3s/agent/images/coreops.tar") == "images"

    # Files: what is secret is root's alone, and nowhere else.
    modes = cluster.sh("n2", 'cd /etc/rancher/k3s; stat -c "%a %U %n" . *; stat -c "%a %U %n" /run/coreops-k3s/*')
    for name in ("config.yaml", "token", "agent-token", "store.key", "/run/coreops-k3s/token"):
        assert f"600 root {name}" in modes.splitlines(), modes
    assert "700 root ." in modes.splitlines()
    for name in ("k3s-token", "k3s-agent-token"):
        path = cluster.folder / "pki" / name
        assert path.stat().st_mode & 0o777 == 0o600
        seen = cluster.sh("n2", "cat /proc/[0-9]*/cmdline; journalctl -b --no-pager; cat /etc/systemd/system/k3s*")
        assert path.read_text().strip() not in seen
        assert path.read_text().strip() not in json.dumps(first)

    # A unit that systemd takes as it is, and that comes back after a reboot.
    assert cluster.sh("n2", "systemd-analyze verify /etc/systemd/system/k3s.service 2>&1") == ""
    assert cluster.sh("n2", "systemctl is-enabled k3s") == "enabled"

    assert [(host, node["state"], node["role"]) for host, node in sorted(cluster.nodes().items())] == [
        (host, "ready", "manager") for host in ("n1", "n2", "n3")
    ]


@needs_kubectl
def test_the_operator_drains_a_node(cluster: Cluster) -> None:
    """``coreops drain``, ``nodes``, ``uncordon`` through SSH and the real kubectl on a node; Kubernetes is a fake."""
    kube = Kubernetes(grace=0.0)
    server = Server(kube, cluster.lab.plan.controller_address)
    try:
        for name in ("n1", "n2", "n3"):
            kube.node(name, server=True)
        kube.deployment("web", 6, budget=5)
        box = Box(cluster.folder.parent / "box", "none")
        kubeconfig(box, server.url)
        config = (box.root / "etc/rancher/k3s/k3s.yaml").read_bytes()
        cluster.put("n1", config, "/root/.kube/config")
        cluster.put("n1", Path(str(KUBECTL)).resolve().read_bytes(), "/opt/bin/kubectl", mode="0755")
        before = kube.on("n2")
        assert len(before) == 2
        inventory = ("-i", str(cluster.folder), "--json")
        cluster.coreops("drain", "n2", *inventory, "--reason", "new disk")
        assert kube.on("n2") == []
        assert len(kube.on("n1") + kube.on("n3")) == 6
        told = cluster.nodes()
        assert (told["n2"]["cordoned"], told["n2"]["running"]) == ("operator", 0), told
        assert not told["n1"]["cordoned"]
        cluster.coreops("uncordon", "n2", *inventory)
        assert not kube.nodes["n2"]["spec"].get("unschedulable")
        assert (
            "POST",
            f"/api/v1/namespaces/{before[0]}/eviction".replace("default/", "default/pods/"),
        ) in kube.requests
    finally:
        server.close()
        cluster.sh("n1", "rm -rf /opt/bin/kubectl /root/.kube")


def test_new_settings_restart_server_by_server(cluster: Cluster) -> None:
    before = cluster.sh("n3", "systemctl show -p MainPID --value k3s")
    cluster.write(k3s_disable=["traefik"])
    changes = cluster.bootstrap()["further"]["scheduler"]["changes"]
    assert [each for each in changes if each.startswith("restart")] == [
        f"restart {node} with the new settings" for node in ("n1", "n2", "n3")
    ]
    assert cluster.sh("n3", "systemctl show -p MainPID --value k3s") != before
    assert "- traefik" in cluster.sh("n3", "cat /etc/rancher/k3s/config.yaml")


def test_the_token_of_another_cluster_stays_out(cluster: Cluster) -> None:
    token = cluster.folder / "pki/k3s-token"
    old = token.read_text()
    token.write_text("7" * 64 + "\n")
    done = cluster.coreops("bootstrap", str(cluster.folder), expect=1)
    assert "restore" in done.stdout + done.stderr
    token.write_text(old)
    agents = cluster.folder / "pki/k3s-agent-token"
    theirs = agents.read_text()
    agents.write_text("7" * 64 + "\n")
    more = cluster.coreops("bootstrap", str(cluster.folder), expect=1)
    assert "cannot change the token that agents join with" in more.stdout + more.stderr
    agents.write_text(theirs)
    done.stdout += more.stdout + more.stderr
    said = [
        path.read_text(errors="replace") for path in (cluster.folder.parent / ".coreops").rglob("*") if path.is_file()
    ]
    for secret in (old.strip(), "7" * 64):
        assert secret not in done.stdout + done.stderr
        assert said
        assert not any(secret in text for text in said), "a token is in the journal of a run"
    assert cluster.sh("n1", "sha256sum </etc/rancher/k3s/token") == hashlib.sha256(old.encode()).hexdigest() + "  -"
