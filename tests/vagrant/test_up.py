"""``vagrant up`` with Debian's Vagrant and libvirt: machines of a box that coreops built, a cluster, nothing left."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coreops.providers.namespace.image import cache_root
from coreops.providers.vagrant.box import build
from tests.vagrant.world import ROOT, World

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not os.environ.get("COREOPS_ALL_VMS"), reason="takes minutes: only with COREOPS_ALL_VMS=1"),
]

PROGRAMS = ("vagrant", "virsh", "libvirtd", "dnsmasq", "qemu-system-x86_64", "qemu-img", "nsenter", "unshare", "ip")
OVMF = Path("/usr/share/ovmf/OVMF.fd")
COREOPS = str(Path(sys.executable).with_name("coreops"))
KNOBS = {
    "instances: 3 ": "instances: 2 ",
    "box: flatcar ": "box: coreops-lab ",
    "memory: 1024": "memory: 512",
    "serial_log: false": "serial_log: true",
    "# libvirt_driver: kvm": "libvirt_driver: qemu",
}
BEGINS = "coreops bootstrap "


@pytest.fixture(scope="module")
def world(needs: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    needs(*PROGRAMS)
    plugins = subprocess.run(["vagrant", "plugin", "list"], capture_output=True, text=True, check=False).stdout
    if "vagrant-libvirt" not in plugins or not OVMF.exists():
        pytest.skip("no Vagrant here: missing vagrant-libvirt or ovmf (group vagrant of scripts/packages.txt)")
    made = World(tmp_path_factory.mktemp("world"), cache_root().parent)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def project(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped folder, with the box that coreops builds."""
    folder = tmp_path_factory.mktemp("project") / "vagrant"
    folder.mkdir()
    (folder / "Vagrantfile").write_bytes((ROOT / "vagrant/Vagrantfile").read_bytes())
    text = (ROOT / "vagrant/lab.yml").read_text()
    for old, new in KNOBS.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (folder / "lab.yml").write_text(text)
    build(folder / "own.box", lambda event: None)
    world.run("vagrant", "box", "add", "--name", "coreops-lab", "own.box", cwd=folder)
    return folder


def cluster_id(world: World, project: Path) -> str:
    """What etcd on core-01 says, read over coreops's own, strict connection."""
    ctl = (
        "ETCDCTL_API=3 /opt/etcd/current/etcdctl --cacert /etc/etcd/pki/ca.crt --cert /etc/etcd/pki/client.crt"
        " --key /etc/etcd/pki/client.key --endpoints https://172.17.8.101:2379 endpoint status -w json"
    )
    told = world.run(COREOPS, "exec", "core-01", "-i", "inventory", "-b", "--", ctl, cwd=project).stdout
    (found,) = re.findall(r'"cluster_id":(\d+)', told)
    return str(found)


def test_up_makes_one_cluster_of_all_machines_and_destroy_leaves_nothing(world: World, project: Path) -> None:
    said = world.run("vagrant", "up", cwd=project, timeout=900).stdout
    assert said.count(BEGINS) == 1
    who = world.run(COREOPS, "exec", "all", "-i", "inventory", "-b", "--", "id", "-un", cwd=project).stdout
    assert {"core-01 | root", "core-02 | root"} <= set(who.splitlines())
    assert cluster_id(world, project)
    where = world.run(COREOPS, "exec", "all", "-i", "inventory", "--", "cat", "/proc/cmdline", cwd=project).stdout
    assert where.count("coreops.usr=PARTUUID=") == 2

    world.run("vagrant", "destroy", "--force", cwd=project, timeout=300)
    assert world.run("virsh", "-q", "-c", "qemu:///system", "list", "--all", "--name").stdout.strip() == ""
    assert list((project / "host-keys").iterdir()) == []
    assert os.listdir(project / "user-data")
