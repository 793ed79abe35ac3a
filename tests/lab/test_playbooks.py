"""The shipped playbooks on real nodes, as an operator runs them: a registry, podman, flannel's network, a toolbox."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from coreops.providers.namespace.lab import Lab
from tests.lab.store_client import CALM
from tests.support import warm

pytestmark = pytest.mark.lab
COREOPS = [sys.executable, "-c", warm.MAIN]
ETCD = "/etc/etcd/pki"
V2 = f"curl -sS --cacert {ETCD}/ca.crt --cert {ETCD}/client.crt --key {ETCD}/client.key https://127.0.0.1:2379/v2/keys"
V3 = f"/opt/etcd/current/etcdctl --cacert {ETCD}/ca.crt --cert {ETCD}/client.crt --key {ETCD}/client.key"


class Operator:
    """Somebody with an inventory."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder, self.inventory = lab, folder, lab.inventory

    def coreops(self, *words: str, code: int = 0) -> str:
        done = warm.run([*COREOPS, *words, "-i", str(self.inventory)], cwd=self.folder, timeout=300)
        assert done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def play(self, playbook: str, *words: str, code: int = 0) -> str:
        return self.coreops("run", playbook, *words, code=code)

    def node(self, host: str, script: str) -> str:
        line = ["exec", host, "--json", "-b", "--", script]
        line[1:1] = ["-i", str(self.inventory)]
        done = warm.run([*COREOPS, *line], cwd=self.folder, timeout=300)
        ends = [json.loads(text) for text in done.stdout.splitlines()]
        result = next(each["result"] for each in ends if each["event"] == "task_finished")
        assert done.returncode == 0, (script, result["data"])
        return str(result["data"]["stdout"]).strip("\n")

    def group_vars(self, name: str, value: object) -> None:
        path = self.inventory / "group_vars" / f"{name}.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(value))


@pytest.fixture(scope="module")
def operator(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    name = f"p{os.getpid()}"
    folder = tmp_path_factory.mktemp("playbooks")
    try:
        lab = Lab.up(name, nodes=3, inventory_folder=folder / "inventory", extra="podman")
        made = Operator(lab, folder)
        made.group_vars("store", {"etcd_flags": {"enable-v2": True, **CALM}, "node_registry": False})
        warm.run([*COREOPS, "bootstrap", str(lab.inventory)], cwd=folder, check=True)
        yield made
    finally:
        Lab.down(name)


def unpacked(folder: Path, *packages: str) -> Path:
    """The files of Debian packages, not installed."""
    folder.mkdir()
    subprocess.run(["apt-get", "download", "-q", *packages], cwd=folder, capture_output=True, check=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, folder / "root"], check=True)
    return folder / "root"


@pytest.fixture(scope="module")
def busybox(operator: Operator) -> Path:
    return unpacked(operator.folder / "busybox", "busybox-static") / "bin" / "busybox"


@pytest.fixture(scope="module")
def image(operator: Operator, busybox: Path) -> Path:
    """A container image in a tar, as podman saves it; made on a node."""
    root = operator.folder / "image"
    (root / "bin").mkdir(parents=True)
    shutil.copy(busybox, root / "bin" / "busybox")
    for name in ("sh", "httpd"):
        (root / "bin" / name).symlink_to("busybox")
    (root / "index.html").write_text("hello")
    with tarfile.open(operator.folder / "root.tar", "w") as tar:
        tar.add(root, ".")
    key = [
        "-i",
        str(operator.inventory / "id_ed25519"),
        "-o",
        f"UserKnownHostsFile={operator.inventory / 'known_hosts'}",
    ]
    n3 = f"core@{next(node.address for node in operator.lab.nodes if node.name == 'n3')}"
    make = "sudo podman import -q - lab/web:1 </dev/stdin >/dev/null && sudo podman save -q lab/web:1"
    with (operator.folder / "root.tar").open("rb") as tar, (operator.folder / "web.tar").open("wb") as out:
        subprocess.run(["ssh", "-q", *key, n3, make], stdin=tar, stdout=out, check=True, timeout=60)
    return operator.folder / "web.tar"


def test_a_registry_that_nodes_trust(operator: Operator, image: Path) -> None:
    binary = unpacked(operator.folder / "registry", "docker-registry") / "usr" / "bin" / "docker-registry"
    (operator.inventory / "registry.yml").write_text(json.dumps({"registry": {"hosts": {"n1": {}}}}))
    address = next(node.address for node in operator.lab.nodes if node.name == "n1")
    binary_of = ("registry.yml", "-e", f"registry_binary={binary}", "-e")
    assert "registry_sha256=HEX" in operator.play(*binary_of[:-1], code=1)
    assert "does not have the checksum" in operator.play(*binary_of, f"registry_sha256={'0' * 64}", code=2)
    assert operator.node("n1", "getent group registry || echo none") == "none"  # nothing was touched
    say = (*binary_of, f"registry_sha256={hashlib.sha256(binary.read_bytes()).hexdigest()}")
    assert "no file" in operator.play(*say, code=2)  # no certificate yet
    cache = next(node.address for node in operator.lab.nodes if node.name == "n2")
    operator.coreops("certificate", "registry", "--san", address, "--san", cache)
    operator.play(*say)
    assert "nothing to change" in operator.play(*say)
    push = f"podman tag lab/web:1 {address}:5000/web:1 && podman push -q {address}:5000/web:1"
    operator.node("n3", push)
    operator.node("n2", f"podman pull -q {address}:5000/web:1")
    assert operator.node("n2", f"podman run --rm {address}:5000/web:1 busybox cat /index.html") == "hello"
    modes = operator.node("n1", "stat -c '%a %U' /etc/registry/registry.key /etc/registry/config.yml")
    assert modes.splitlines() == ["600 registry", "600 registry"]

    secret = operator.inventory / "pki" / "remote.secret"
    secret.write_text("s3cret 'of' \"ann\" \\ é: #\n")
    remote = {"registry_remote": f"https://{address}:5000", "registry_remote_user": "ann"}
    groups = {"registry": {"hosts": {"n1": {}, "n2": remote}}}
    (operator.inventory / "registry.yml").write_text(json.dumps(groups))
    assert "go together" in operator.play(*say, code=1)
    remote["registry_remote_secret"] = str(secret)
    (operator.inventory / "registry.yml").write_text(json.dumps(groups))
    said = operator.play(*say, "--diff")
    config = yaml.safe_load(operator.node("n2", "cat /etc/registry/config.yml"))
    password = secret.read_text().rstrip("\n")
    assert config["proxy"] == {"remoteurl": f"https://{address}:5000", "username": "ann", "password": password}
    assert operator.node("n2", "stat -c '%a %U' /etc/registry/config.yml") == "600 registry"
    operator.node("n3", f"podman pull -q {cache}:5000/web:1")
    journals = [path.read_text(errors="replace") for path in operator.folder.rglob(".coreops/**/*") if path.is_file()]
    assert journals
    assert not any("s3cret" in text for text in (said, *journals))


def test_containers_of_an_ordinary_user(operator: Operator, image: Path) -> None:
    nasty = "a b $HOME %n \"q\" 's' \\ é $(id)"
    web = {
        "name": "web",
        "image": "lab/web:1",
        "options": ["--publish", "8080:80", "--env", f"X={nasty}"],
        "command": ["httpd", "-f", "-h", "/"],
        "stop_seconds": 1,
    }
    wanted = {"podman_images": [str(image)], "podman_services": [web]}
    operator.group_vars("all", wanted)
    operator.play("podman.yml", "--limit", "n1,n2")
    assert "nothing to change" in operator.play("podman.yml", "--limit", "n1,n2")
    assert operator.node("n1", "curl -sS http://127.0.0.1:8080/index.html") == "hello"
    as_core = "cd /home/core; runuser -u core -- env HOME=/home/core XDG_RUNTIME_DIR=/run/user/$(id -u core)"
    inspected = json.loads(operator.node("n1", f"{as_core} podman inspect web"))
    assert f"X={nasty}" in inspected[0]["Config"]["Env"]
    assert operator.node("n1", "ps -o user= -C busybox,httpd | sort -u") == "core"

    operator.lab.chaos("n1", "reboot")
    again = "for i in $(seq 60); do curl -sS http://127.0.0.1:8080/index.html && break; sleep 0.5; done 2>/dev/null"
    assert operator.node("n1", again) == "hello"

    operator.group_vars("all", wanted | {"podman_services": [web | {"state": "absent"}]})
    operator.play("podman.yml", "--limit", "n1")
    assert "nothing to change" in operator.play("podman.yml", "--limit", "n1")
    assert operator.node("n1", f"{as_core} podman ps -aq") == ""
    operator.group_vars("all", {"podman_services": [{"name": "-rf", "image": "x"}]})
    assert "needs a name of its own" in operator.play("podman.yml", code=1)
    operator.group_vars("all", {})


def test_flannel_s_network_in_both_stores(operator: Operator) -> None:
    both = ("-e", json.dumps({"flannel_stores": ["v2", "v3"]}))
    operator.group_vars("all", {"flannel_network": "10.5.0.0/16", "flannel_backend": {"Type": "vxlan", "VNI": 7}})
    operator.play("flannel.yml", *both)
    assert "nothing to change" in operator.play("flannel.yml", *both)
    wanted = {"Network": "10.5.0.0/16", "SubnetLen": 24, "Backend": {"Type": "vxlan", "VNI": 7}}
    key = "/coreos.com/network/config"
    assert json.loads(operator.node("n2", f"{V3} get {key} --print-value-only")) == wanted
    assert json.loads(json.loads(operator.node("n2", f"{V2}{key}"))["node"]["value"]) == wanted
    said = dict(line.split("=", 1) for line in operator.node("n3", "grep = /etc/flannel/options.env").splitlines())
    addresses = [node.address for node in operator.lab.nodes]
    assert said["FLANNELD_ETCD_ENDPOINTS"] == ",".join(f"https://{each}:2379" for each in addresses)

    operator.node("n1", f"{V3} put /coreos.com/network/subnets/10.5.7.0-24 '{{}}'")
    other = ("flannel.yml", "-e", "flannel_network=10.6.0.0/16")
    assert "nodes have subnets of it" in operator.play(*other, code=1)
    assert json.loads(operator.node("n2", f"{V3} get {key} --print-value-only")) == wanted
    operator.play(*other, "-e", "flannel_replace=true")
    assert json.loads(operator.node("n2", f"{V3} get {key} --print-value-only"))["Network"] == "10.6.0.0/16"
    assert "flannel_network must be" in operator.play("flannel.yml", "-e", "flannel_network=10.6.0.0/29", code=1)


def test_a_toolbox_on_a_node_without_packages(operator: Operator, busybox: Path) -> None:
    packages = ("tcpdump", "libpcap0.8", "libc6", "libssl3", "libdbus-1-3", "libsystemd0", "libcap2", "libgcrypt20")
    root = unpacked(operator.folder / "toolbox", *packages, "liblzma5", "libzstd1", "liblz4-1", "libgpg-error0")
    (root / "bin").mkdir(exist_ok=True)
    shutil.copy(busybox, root / "bin" / "busybox")
    (root / "bin" / "sh").symlink_to("busybox")
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc" / "passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (root / "etc" / "group").write_text("root:x:0:\n")
    with tarfile.open(operator.folder / "toolbox.tar", "w") as tar:
        tar.add(root, ".")
    assert "pass -e toolbox_archive=FILE" in operator.play("toolbox.yml", code=1)
    archive = operator.folder / "toolbox.tar"
    say = ("toolbox.yml", "--limit", "n2", "-e", f"toolbox_archive={archive}")
    assert "toolbox_sha256=HEX" in operator.play(*say, code=1)
    say = (*say, "-e", f"toolbox_sha256={hashlib.sha256(archive.read_bytes()).hexdigest()}")
    operator.play(*say)
    assert "nothing to change" in operator.play(*say)
    assert operator.node("n2", "command -v tcpdump || echo none") == "none"
    seen = operator.node("n2", "/opt/bin/toolbox tcpdump -Z root -c 3 -ni any port 2380")
    assert len(seen.splitlines()) == 3
    assert operator.node("n2", "/opt/bin/toolbox sh -c 'echo \"$1\"' x 'a  $(id) *'") == "a  $(id) *"
    assert "coreops lab" in operator.node("n2", "/opt/bin/toolbox busybox cat /media/root/etc/os-release")
    assert operator.node("n2", "grep -c toolbox /proc/mounts || :") == "0"

    operator.node("n2", "systemd-run -q --unit box /opt/bin/toolbox sh -c 'busybox sleep 600'")
    gone = ("toolbox.yml", "--limit", "n2", "-e", "toolbox_state=absent")
    assert "runs in the toolbox" in operator.play(*gone, code=1)
    operator.node("n2", "systemctl stop box")
    operator.play(*gone)
    assert operator.node("n2", "ls /opt/bin/toolbox /var/lib/toolbox 2>/dev/null | wc -l") == "0"
