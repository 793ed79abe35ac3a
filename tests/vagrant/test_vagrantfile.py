"""The shipped Vagrantfile in a real Vagrant, on nodes of a real lab: what happens once machines are up, how often."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coreops.providers.namespace.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not os.environ.get("COREOPS_ALL_VMS"), reason="takes two minutes: only with COREOPS_ALL_VMS=1"),
]

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
COREOPS = str(Path(sys.executable).with_name("coreops"))
BEGINS = "coreops bootstrap "
CTL = (
    "ETCDCTL_API=3 /opt/etcd/current/etcdctl --cacert /etc/etcd/pki/ca.crt --cert /etc/etcd/pki/client.crt"
    " --key /etc/etcd/pki/client.key --endpoints https://172.17.8.101:2379"
)


class Project:
    """The shipped folder with a provider whose machines are the lab's nodes."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        self.folder = folder
        self.lab = lab
        (folder / "Vagrantfile").write_text('require_relative "nodes"\n' + (ROOT / "vagrant/Vagrantfile").read_text())
        (folder / "nodes.rb").write_text((HERE / "nodes.rb").read_text())
        self.instances(2)
        (folder / "inventory").mkdir()
        for name in ("id_ed25519", "id_ed25519.pub"):  # the key that the nodes let in already
            target = folder / "inventory" / name
            target.write_bytes((lab.inventory / name).read_bytes())
            target.chmod(0o600)
        addresses = {}
        for number, node in enumerate(lab.status(), 1):
            addresses[f"core-{number:02d}"] = node.address
            self.on(node.node, f"sudo ip addr add 172.17.8.{100 + number}/24 dev eth0")
        (folder / "nodes.json").write_text(json.dumps(addresses))

    def instances(self, number: int, more: str = "") -> None:
        text = (ROOT / "vagrant/lab.yml").read_text().replace("instances: 3 ", f"instances: {number} ")
        (self.folder / "lab.yml").write_text(text + more)

    def on(self, node: str, command: str) -> str:
        done = subprocess.run(self.lab.ssh_command(node, [command]), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, *argv: str, fails: bool = False) -> str:
        environment = {
            "VAGRANT_HOME": str(self.folder / "home"),
            "VAGRANT_DEFAULT_PROVIDER": "nodes",
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "COREOPS": COREOPS,
        }
        done = subprocess.run(
            argv,
            cwd=self.folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout
        return done.stdout

    def host_keys(self) -> dict[str, str]:
        return {path.stem: path.read_text() for path in (self.folder / "host-keys").iterdir()}

    def store(self) -> tuple[str, set[str]]:
        """The id of the cluster and the names of its members, as etcd says them."""
        command = f"{CTL} member list -w json"
        told = self.run(COREOPS, "exec", "core-01", "-i", "inventory", "-b", "--", command)
        (cluster,) = re.findall(r'"cluster_id":(\d+)', told)
        return cluster, set(re.findall(r'"name":"([^"]+)"', told))


@pytest.fixture(scope="module")
def project(needs: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    needs("vagrant")
    name, base = f"v{os.getpid()}", tmp_path_factory.mktemp("vagrant")
    (base / "project").mkdir()
    try:
        yield Project(base / "project", Lab.up(name, nodes=3, zones=3, inventory_folder=base / "lab"))
    finally:
        Lab.down(name)


def test_bad_input_stops_vagrant_before_it_does_anything(project: Project) -> None:
    project.instances(2, "memroy: 1\n")
    lines = (project.folder / "lab.yml").read_text().count("\n")
    said = project.run("vagrant", "up", fails=True)
    assert f"lab.yml:{lines}:1: unknown knob 'memroy'" in said
    assert "did you mean 'memory'?" in said
    project.instances(2)
    assert not (project.folder / "inventory/hosts.yml").exists()


def test_a_port_in_use_is_told_and_the_machine_not_made(project: Project) -> None:
    project.instances(2)
    knobs = project.folder / "lab.yml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        knobs.write_text(knobs.read_text().replace("#  2379: 12379", f"  2379: {port}"))
        said = project.run("vagrant", "up", fails=True)
    assert f"core-01: port {port} of this computer cannot be used: Address already in use" in said
    assert "change forwarded_ports in lab.yml" in said
    assert re.search(r"core-01 +not_created", project.run("vagrant", "status"))
    project.instances(2)
    project.run("vagrant", "destroy", "--force")  # the other one, which was made beside it


def test_up_twice_is_one_cluster_and_a_machine_more_joins_it(project: Project) -> None:
    assert project.run("vagrant", "up").count(BEGINS) == 1
    who = project.run(COREOPS, "exec", "all", "-i", "inventory", "-b", "--", "id", "-un")
    assert {"core-01 | root", "core-02 | root"} <= set(who.splitlines())
    cluster, members = project.store()
    assert members == {"core-01"}

    again = project.run("vagrant", "up")
    assert again.count(BEGINS) == 1
    assert "nothing to change" in again
    assert project.store() == (cluster, {"core-01"})

    keys = project.host_keys()
    project.instances(3)
    assert project.run("vagrant", "up").count(BEGINS) == 1
    assert project.store() == (cluster, {"core-01", "core-02", "core-03"})
    assert keys.items() < project.host_keys().items()


def test_one_machine_of_several_starts_no_coreops_while_another_is_missing(project: Project) -> None:
    project.run("vagrant", "destroy", "--force", "core-03")
    assert "core-03" not in project.host_keys()
    assert BEGINS not in project.run("vagrant", "up", "core-01")


def test_a_machine_that_lab_yml_no_longer_has_is_told(project: Project) -> None:
    project.instances(1)
    assert "1 machine of Vagrant's not in lab.yml: core-02" in project.run("vagrant", "up", fails=True)
    project.instances(2)


def test_another_host_key_is_refused(project: Project) -> None:
    new = (
        "sudo rm /etc/ssh/ssh_host_ed25519_key && sudo ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key"
    )
    second = project.lab.status()[1].node
    project.on(second, f"{new} && sudo systemctl restart ssh")
    keys = project.host_keys()
    ask = (COREOPS, "exec", "core-02", "-i", "inventory", "--", "true")
    assert "host key has changed" in project.run(*ask, fails=True)
    knobs = project.folder / "lab.yml"
    knobs.write_text(knobs.read_text().replace("bootstrap: true ", "bootstrap: false "))
    assert BEGINS not in project.run("vagrant", "up")
    assert project.host_keys() == keys
    assert "host key has changed" in project.run(
        COREOPS, "exec", "core-02", "-i", "inventory", "--", "true", fails=True
    )


def test_destroy_forgets_the_keys(project: Project) -> None:
    project.run("vagrant", "destroy", "--force")
    assert project.host_keys() == {}
