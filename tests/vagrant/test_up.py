"""``vagrant up`` with Debian's Vagrant and libvirt: machines of a box that coreops built, a cluster, nothing left."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coreops.providers.namespace.image import cache_root
from coreops.providers.vagrant.box import build
from coreops.providers.vagrant.lab_file import OWN_BOXES
from tests.vagrant.world import ROOT, World, lacks

pytestmark = [pytest.mark.lab, pytest.mark.vm]

PROGRAMS = ("vagrant", "virsh", "libvirtd", "dnsmasq", "qemu-system-x86_64", "qemu-img", "nsenter", "unshare", "ip")
OVMF = Path("/usr/share/ovmf/OVMF.fd")
COREOPS = str(Path(sys.executable).with_name("coreops"))
KNOBS = {
    "instances: 3 ": "instances: 2 ",
    "memory: 1024": "memory: 512",
    "serial_log: false": "serial_log: true",
    "# libvirt_driver: kvm": "libvirt_driver: qemu",
}
VARIABLES = {
    # Other tests have a registry. An emulated machine has ten seconds of work with joining it.
    "node_registry": False,
    "coreops_connect_timeout": 60,
    "node": {"write_files": [{"path": "/etc/the lab's", "content": "$(id) `id`\n"}]},
}
BOXES = [
    "coreops-lab-ignition",
    pytest.param(
        "coreops-lab",
        marks=pytest.mark.skipif(
            not os.environ.get("COREOPS_ALL_VMS"),
            reason="two minutes of processor time more, and an image of its own: only with COREOPS_ALL_VMS=1",
        ),
    ),
]
BEGINS = "coreops bootstrap "
STATUS = (
    "ETCDCTL_API=3 /opt/etcd/current/etcdctl --cacert /etc/etcd/pki/ca.crt --cert /etc/etcd/pki/client.crt"
    " --key /etc/etcd/pki/client.key --endpoints https://172.17.8.101:2379 endpoint status -w json"
)
ASK = f'id -un; cat /proc/cmdline "/etc/the lab\'s"; if test -e /opt/etcd; then {STATUS}; fi'
LEFT = "list --all --name; net-list --all --name; vol-list default"


@pytest.fixture(scope="module")
def world(needs: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    needs(*PROGRAMS)
    plugins = subprocess.run(["vagrant", "plugin", "list"], capture_output=True, text=True, check=False).stdout
    if "vagrant-libvirt" not in plugins or not OVMF.exists():
        pytest.skip("no Vagrant here: missing vagrant-libvirt or ovmf (group vagrant of scripts/packages.txt)")
    if reason := lacks():
        pytest.skip(f"no libvirt here: {reason}")
    made = World(tmp_path_factory.mktemp("world"), cache_root().parent)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def project(world: World, box: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped folder, with a box that coreops builds."""
    folder = tmp_path_factory.mktemp("project") / "vagrant"
    folder.mkdir()
    (folder / "Vagrantfile").write_bytes((ROOT / "vagrant/Vagrantfile").read_bytes())
    text = (ROOT / "vagrant/lab.yml").read_text()
    for old, new in {"box: flatcar ": f"box: {box} ", **KNOBS}.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (folder / "lab.yml").write_text(text)
    (folder / "inventory/group_vars").mkdir(parents=True)
    (folder / "inventory/group_vars/all.yml").write_text(json.dumps(VARIABLES))
    build(folder / "own.box", lambda event: None, OWN_BOXES[box])
    world.run("vagrant", "box", "add", "--name", box, "own.box", cwd=folder)
    return folder


def consoles(project: Path) -> str:
    """How the machines fare, for when they should not."""
    found = [(path.name, path.read_text(errors="replace")) for path in sorted((project / "log").glob("*.log"))]
    return "\n".join(f"{name}:\n{text[-3000:]}" for name, text in found)


@pytest.mark.parametrize("box", BOXES)
def test_up_makes_one_cluster_of_all_machines_and_destroy_leaves_nothing(world: World, project: Path, box: str) -> None:
    up = world.run("vagrant", "up", cwd=project, timeout=3000, check=False)
    assert up.returncode == 0, up.stdout + consoles(project)
    assert up.stdout.count(BEGINS) == 1
    # Over coreops's own connection, which knows the host keys and takes no other.
    told = world.run(COREOPS, "exec", "all", "-i", "inventory", "-b", "--", ASK, cwd=project, timeout=600).stdout
    assert {"core-01 | root", "core-02 | root"} <= set(told.splitlines())
    assert told.count("coreops.usr=PARTUUID=") == 2
    assert told.count("| $(id) `id`") == 2
    assert len(re.findall(r'"cluster_id":\d+', told)) == 1

    assert {path.name for path in (project / "host-keys").iterdir()} == {"core-01.pub", "core-02.pub"}
    world.run("vagrant", "destroy", "--force", cwd=project, timeout=600)
    left = world.run("virsh", "-q", "-c", "qemu:///system", LEFT).stdout.split()
    assert [name for name in left if f"{box}_vagrant_box_image" not in name] == []
    assert list((project / "host-keys").iterdir()) == []
    assert os.listdir(project / "user-data")  # what the next ones of that name are told
