"""``coreops upgrade`` where real firmware decides: OVMF and systemd-boot, which counts the tries of an entry. Three
machines with a store of their own, for all tests; what is tried builds on what was before.

Emulated, and others at work, a machine answers after seconds: all patience is longer here, the store's clock slower.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import pytest

from coreops.providers.namespace import disk
from coreops.providers.namespace.lab import Lab
from coreops.providers.qemu import lab as qemu
from coreops.providers.qemu import recipe
from coreops.store import artifact, lockfile
from tests.lab import images
from tests.lab.store_client import Store, Writer
from tests.lab.test_lab import traces
from tests.lab.test_qemu import all_vms, machines
from tests.lab.test_qemu import qemu_host as qemu_host
from tests.lab.upgrades import NEW, OLD, Fleet, eventually, last_lines

pytestmark = [pytest.mark.lab, pytest.mark.vm]

NODES = 3
BAD, HUNG = "1.0.5", "1.0.6"
VARIABLES = {
    "node_registry": False,
    "etcd_flags": {"heartbeat-interval": 1000, "election-timeout": 15000, "log-level": "error"},
    "coreops_connect_timeout": 120,
}
PATIENCE = {"survey": 600, "lease": 600, "act": 600, "answer": 20, "silence": 300, "interval": 6}
"""interval: each look at an emulated machine costs it a second or two, and so do a few seconds of doing nothing."""


class Slow(Fleet):
    """A lab whose store takes its time."""

    @cached_property
    def store(self) -> Store:
        return Store(self.lab, self.inventory / "pki", timeout=40.0)

    def starts(self, name: str) -> int:
        """How often the firmware has started a boot loader since the machine is there."""
        return self.console(name).count("BdsDxe: starting")

    def sh(self, name: str, script: str, *, check: bool = True) -> str:
        """By ssh: a machine with a kernel of its own cannot be entered from below."""
        line = self.lab.ssh_command(name, ["sudo", "sh", "-c", script])
        done = subprocess.run(line, capture_output=True, text=True, timeout=180, check=False)
        assert not check or done.returncode == 0, f"{name}: {script}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def writer(self) -> Writer:
        return Writer(self.store, every=4.0, patience=300.0)


def with_etcd(template: Path, made: Path) -> None:
    """Make a node's disk with the etcd that bootstrap would send; sending it is not what is tried here."""
    disk.copy_image(template, made)
    locked = lockfile.choose(lockfile.read(lockfile.DEFAULT), "etcd", "amd64", None, where=made)
    script = 'mount -o "loop,offset=$1" "$2" /mnt && mkdir -p "/mnt/opt/etcd/$3" && tar -xzf "$4" -C "/mnt/opt/etcd/$3"'
    offset = disk.offset(disk.ROOT_NUMBER, recipe.LAYOUT) * disk.MIB
    words = [str(offset), str(made), locked.release, str(artifact.archive(locked))]
    subprocess.run(["unshare", "--mount", "sh", "-ec", script, "-", *words], check=True)


@pytest.fixture(scope="module")
def cluster(qemu_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slow]:
    """Virtual machines, a store of all of them, and a channel without releases."""
    base, name = tmp_path_factory.mktemp("vms"), f"x{os.getpid()}"
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(qemu, "copy_image", with_etcd)
            lab = Lab.up(name, nodes=NODES, zones=3, inventory_folder=base / "inventory", driver="qemu")
        made = Slow(lab, base)
        (made.inventory / "more.yml").write_text(json.dumps({"all": {"vars": VARIABLES}}))
        made.coreops("bootstrap", made.inventory, timeout=1800)
        made.environment["COREOPS_CACHE"] = str(base / "cache")
        made.coreops("channel", "init")
        made.settings(upgrade_turn=120, upgrade_soak=0, upgrade_samples=1, upgrade_patience=PATIENCE)
        yield made
    finally:
        Lab.down(name)
        assert traces(name) == {}
        assert machines(name) == ""


def publish(cluster: Slow, usr: Path, version: str, kernel: str) -> None:
    """kernel: of which release. OLD's is what the machines run and each copies to its other slot, NEW's is sent."""
    cluster.publish(usr, version, "--kernel", cluster.lab.image.kernel_of(kernel))


def upgrade(cluster: Slow, *options: object, expect: int = 0) -> dict[str, str]:
    """Upgrade while somebody writes, who loses nothing; return what became of whom."""
    with cluster.writer() as writer:
        said = cluster.coreops("upgrade", cluster.inventory, "--yes", *options, expect=expect, timeout=2400)
    print(said)
    writer.check()
    assert writer.acknowledged
    eventually(cluster.store.healthy, 300, "etcd is well")
    assert not cluster.store.keys("/coreops/upgrade/v1/leases/")
    return last_lines(said)


def starts(cluster: Slow) -> dict[str, int]:
    return {node.name: cluster.starts(node.name) for node in cluster.lab.nodes}


def falls_back(cluster: Slow, version: str) -> str:
    """Upgrade one machine to what is bad; return its name, when it is back."""
    # What becomes of those that come after the first is not the firmware's business; containers try it for less.
    canary, before = "n2", starts(cluster)
    ends = upgrade(cluster, "--limit", canary, expect=1)
    assert list(ends) == [canary]
    assert ends[canary].startswith("rolled back")
    assert "came back on the old slot USR-A" in ends[canary]
    assert starts(cluster) == {**before, canary: before[canary] + 2}, "one try, and back"
    for now in cluster.lab.status():
        assert (now.state, now.slot, now.release) == ("running", "USR-A", OLD)
        assert not now.slots[1].successful
    assert version in cluster.coreops("deny", "list", "-i", cluster.inventory)
    return canary


def test_a_release_that_never_comes_up_is_left_by_the_firmware_alone_and_denied(cluster: Slow, tmp_path: Path) -> None:
    noise = tmp_path / "noise"
    noise.write_bytes(random.Random(1).randbytes(1 << 16))
    publish(cluster, noise, BAD, kernel=NEW)
    canary = falls_back(cluster, BAD)
    assert "cannot mount /dev/vda4 at /usr; starting again" in cluster.console(canary)


@all_vms
def test_a_release_that_boots_and_lets_nobody_in_is_left_by_itself_and_denied(cluster: Slow) -> None:
    publish(cluster, images.hangs(cluster.lab.image.usr(NEW), HUNG), HUNG, kernel=NEW)
    console = cluster.console(falls_back(cluster, HUNG))
    assert "the slot is on trial until sshd answers" in console
    assert "the slot is on trial" in console[console.index("booting partition 4") :]


def test_a_good_release_is_booted_once_by_every_machine_under_writes_and_marked_good(cluster: Slow) -> None:
    before = starts(cluster)
    publish(cluster, images.small(cluster.lab.image.usr(NEW), NEW), NEW, kernel=OLD)
    ends = upgrade(cluster)
    assert ends == dict.fromkeys(before, f"done  USR-B {NEW}")
    assert starts(cluster) == {name: count + 1 for name, count in before.items()}
    for now in cluster.lab.status():
        # of the firmware's choice the console tells, of the release the slot's own file system
        assert (now.state, now.slot, now.release) == ("running", "USR-B", NEW)
        a, b = now.slots
        assert b.successful
        assert b.priority > a.priority
    assert cluster.sh("n1", "lab-release") == NEW
