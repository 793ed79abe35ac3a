"""``coreops upgrade`` where real firmware decides: OVMF and systemd-boot, which counts the tries of an entry.

COREOPS_TEST_VMS says how many machines. Emulated they cost a processor each, so without it there is one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from coreops.providers.namespace.lab import Lab
from tests.lab import images
from tests.lab.test_lab import boot_id, traces
from tests.lab.test_qemu import all_vms, machines
from tests.lab.test_qemu import qemu_host as qemu_host
from tests.lab.upgrades import NEW, OLD, Fleet, last_lines

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not os.environ.get("COREOPS_ALL_VMS"), reason="takes ten minutes: only with COREOPS_ALL_VMS=1"),
]

NODES = int(os.environ.get("COREOPS_TEST_VMS", "1"))
BAD, HUNG = "1.0.5", "1.0.6"


@pytest.fixture(scope="module")
def cluster(qemu_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Virtual machines, a store of all of them where there are several, and a channel without releases."""
    base, name = tmp_path_factory.mktemp("vms"), f"x{os.getpid()}"
    try:
        made = Fleet(Lab.up(name, nodes=NODES, inventory_folder=base / "inventory", driver="qemu"), base)
        if NODES > 2:
            made.coreops("bootstrap", made.inventory, timeout=600)
        else:
            hosts = made.inventory / "hosts.yml"
            hosts.write_text(hosts.read_text().replace("store:", "machines:"))
        made.environment["COREOPS_CACHE"] = str(base / "cache")
        made.coreops("channel", "init")
        made.settings(upgrade_turn=120, upgrade_patience={"interval": 2})
        yield made
    finally:
        Lab.down(name)
        assert traces(name) == {}
        assert machines(name) == ""


def publish(cluster: Fleet, usr: Path, version: str) -> None:
    kernel = cluster.lab.image.kernel_of(NEW)
    cluster.publish(usr, version, "--kernel", kernel)


def upgrade(cluster: Fleet, expect: int = 0) -> dict[str, str]:
    said = cluster.coreops("upgrade", cluster.inventory, "--yes", expect=expect, timeout=1200)
    print(said)
    return last_lines(said)


def falls_back(cluster: Fleet, version: str) -> str:
    """Upgrade to what is bad; return the name of the one machine that tried, and is back."""
    before = {node.name: boot_id(cluster.lab, node.name) for node in cluster.lab.nodes}
    ends = upgrade(cluster, expect=1)
    [canary] = [name for name, end in ends.items() if end.startswith("rolled back")]
    assert "came back on the old slot USR-A" in ends[canary]
    for now in cluster.lab.status():
        assert (now.state, now.slot, now.release) == ("running", "USR-A", OLD)
        assert not now.slots[1].successful
        assert (boot_id(cluster.lab, now.node) != before[now.node]) == (now.node == canary)
    assert version in cluster.coreops("deny", "list", "-i", cluster.inventory)
    return canary


def test_a_release_that_never_comes_up_is_left_by_the_firmware_alone_and_denied(cluster: Fleet) -> None:
    publish(cluster, images.not_a_fs(), BAD)
    canary = falls_back(cluster, BAD)
    assert "cannot mount /dev/vda4 at /usr; starting again" in cluster.console(canary)


@all_vms
def test_a_release_that_boots_and_lets_nobody_in_is_left_by_itself_and_denied(cluster: Fleet) -> None:
    publish(cluster, images.hangs(cluster.lab.image.usr(NEW), HUNG), HUNG)
    console = cluster.console(falls_back(cluster, HUNG))
    assert "the slot is on trial until sshd answers" in console
    assert "the slot is on trial" in console[console.index("booting partition 4") :]


def test_a_good_release_is_booted_by_every_machine_and_marked_good(cluster: Fleet) -> None:
    before = {node.name: boot_id(cluster.lab, node.name) for node in cluster.lab.nodes}
    publish(cluster, cluster.lab.image.usr(NEW), NEW)
    ends = upgrade(cluster)
    assert ends == dict.fromkeys(before, f"done  USR-B {NEW}")
    for now in cluster.lab.status():
        assert (now.state, now.slot, now.release) == ("running", "USR-B", NEW)
        a, b = now.slots
        assert b.successful
        assert b.priority > a.priority
        assert boot_id(cluster.lab, now.node) != before[now.node]
        assert cluster.sh(now.node, "lab-release") == NEW


@pytest.mark.skipif(NODES < 3, reason=f"{NODES} of 3 virtual machines, as they take long; COREOPS_TEST_VMS=3 has all")
def test_the_store_on_them_has_come_through_it(cluster: Fleet) -> None:
    assert cluster.store.healthy()
