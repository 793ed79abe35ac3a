"""The lab on virtual machines: what it does to them, and that nothing of them stays."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.providers.namespace.flavour import PLAIN
from coreops.providers.namespace.host import require_linux_root, wait_until
from coreops.providers.namespace.lab import Lab
from coreops.providers.namespace.node import NodeStatus
from coreops.providers.qemu import lab as qemu
from coreops.providers.qemu import machine
from tests.lab.test_lab import boot_id, ssh, traces

pytestmark = [pytest.mark.lab, pytest.mark.vm]
all_vms = pytest.mark.skipif(not os.environ.get("COREOPS_ALL_VMS"), reason="only with COREOPS_ALL_VMS=1")
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


@pytest.fixture(scope="module")
def qemu_host() -> None:
    """Skip unless this machine can carry a lab of virtual machines."""
    try:
        require_linux_root()
        qemu.require_programs(build=not qemu.image(PLAIN).disk.exists())
    except InputError as error:
        pytest.skip(f"no virtual machines here: {error}")


@pytest.fixture(scope="module")
def vm(qemu_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One machine with the usual firmware, for all tests: each leaves it up, connected and awake."""
    name = f"v{os.getpid()}"
    try:
        yield Lab.up(name, nodes=1, zones=1, inventory_folder=tmp_path_factory.mktemp("vm") / "i", driver="qemu")
    finally:
        Lab.down(name)
        assert traces(name) == {}
        assert machines(name) == ""


def machines(name: str) -> str:
    """The processes of a lab's machines, found without what the lab knows."""
    return subprocess.run(["pgrep", "-f", f"guest=coreops-{name}-"], capture_output=True, text=True).stdout


def status(lab: Lab) -> NodeStatus:
    return lab.status()[0]


def test_a_machine_has_a_kernel_of_its_own_and_all_else_as_any_node(vm: Lab) -> None:
    now = status(vm)
    assert (now.state, now.link, now.slot, now.release) == ("running", "up", "USR-A", "1.0.0")
    assert [(slot.label, slot.tries, slot.successful) for slot in now.slots] == [
        ("USR-A", 0, True),
        ("USR-B", 0, False),
    ]
    assert ssh(vm, "n1", "uname -r") != os.uname().release
    assert ssh(vm, "n1", "hostname; cat /etc/machine-id") == f"n1\n{vm.node('n1').machine_id}"
    assert ssh(vm, "n1", "systemctl is-system-running --wait") == "running"
    assert ssh(vm, "n1", "findmnt -no FSTYPE,OPTIONS /usr").startswith("squashfs ro")
    assert ssh(vm, "n1", "command -v python3 apt dpkg || sudo -n id -u") == "0"
    # Time passes as fast as here, however busy this machine was while it booted.
    assert ssh(vm, "n1", "cat /sys/devices/system/clocksource/clocksource0/current_clocksource") != "tsc"
    # Its clock says what it is here, so that bootstrap takes two such machines.
    before, there, after = time.time(), float(ssh(vm, "n1", "date +%s.%N")), time.time()
    assert before - 3 < there < after + 3
    assert "initramfs: booting partition 3" in vm.log("n1").read_text(errors="replace")


def test_its_cable_is_cut_and_put_in_again(vm: Lab) -> None:
    vm.chaos("n1", "cut")
    assert status(vm).link == "cut"
    with pytest.raises(OSError, match=r"timed out|No route"):
        socket.create_connection((vm.node("n1").address, 22), timeout=2)
    vm.chaos("n1", "heal")
    assert wait_until(lambda: qemu.answers(vm.names_of("n1"), vm.node("n1")), 60, 0.5)


def test_it_is_frozen_and_goes_on_where_it_stood(vm: Lab) -> None:
    before = boot_id(vm, "n1")
    vm.chaos("n1", "freeze")
    assert status(vm).state == "frozen"
    with pytest.raises(InputError, match="frozen"):
        vm.chaos("n1", "reboot")
    vm.chaos("n1", "thaw")
    assert status(vm).state == "running"
    assert boot_id(vm, "n1") == before


def test_its_disk_is_filled_and_freed(vm: Lab) -> None:
    vm.chaos("n1", "fill-disk")
    assert "No space left" in ssh(
        vm, "n1", "head -c 1000000 /dev/zero 2>&1 | sudo tee /opt/big 2>&1 >/dev/null || true"
    )
    assert vm.names_of("n1").disk.stat().st_blocks * 512 < 2 << 30
    vm.chaos("n1", "free-disk")
    ssh(vm, "n1", "head -c 1000000 /dev/zero | sudo tee /opt/big >/dev/null && sudo rm /opt/big")


def test_up_again_changes_nothing(vm: Lab) -> None:
    before = status(vm)
    Lab.up(vm.names.lab, inventory_folder=vm.inventory)
    assert status(vm) == before
    with pytest.raises(InputError, match="are qemu with uefi"):
        Lab.up(vm.names.lab, inventory_folder=vm.inventory, driver="namespace")


@all_vms
def test_it_loses_its_power_and_is_switched_on_again(vm: Lab) -> None:
    ssh(vm, "n1", "echo safe | sudo tee /opt/safe; sync")
    before = boot_id(vm, "n1")
    vm.chaos("n1", "kill")
    assert (status(vm).state, status(vm).pid, status(vm).slot) == ("off", None, None)
    with pytest.raises(InputError, match="not running"):
        vm.chaos("n1", "freeze")
    vm.chaos("n1", "poweron")
    assert boot_id(vm, "n1") != before
    assert ssh(vm, "n1", "cat /opt/safe") == "safe"


@all_vms
@pytest.mark.parametrize(
    "breaks",
    [
        # PID 1 freezes when it has crashed; nobody feeds the watchdog any more
        "sudo busctl set-property org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager"
        " RuntimeWatchdogUSec t 10000000 && sudo kill -SEGV 1",
        "echo c | sudo tee /proc/sysrq-trigger",
    ],
    ids=["systemd", "kernel"],
)
def test_a_system_that_is_lost_starts_again_by_itself(vm: Lab, breaks: str) -> None:
    before = boot_id(vm, "n1")
    with suppress(subprocess.TimeoutExpired):  # a kernel that is lost closes no connection
        subprocess.run(vm.ssh_command("n1", [breaks]), capture_output=True, timeout=30, check=False)

    def is_anew() -> bool:
        try:  # while PID 1 is lost, a login hangs
            now = subprocess.run(vm.ssh_command("n1", [BOOT_ID]), capture_output=True, text=True, timeout=30)
        except subprocess.TimeoutExpired:
            return False
        return now.returncode == 0 and now.stdout.strip() != before

    assert wait_until(is_anew, 300, 1.0), machine.tail(vm.names_of("n1").folder)


@all_vms
def test_up_and_down_after_somebody_killed_everything(qemu_host: None, tmp_path: Path) -> None:
    name = f"w{os.getpid()}"
    try:
        lab = Lab.up(name, nodes=1, inventory_folder=tmp_path / "i", driver="qemu", firmware="gptprio")
        before = boot_id(lab, "n1")
        assert [(each.priority, each.tries, each.successful) for each in status(lab).slots] == [
            (1, 0, True),
            (0, 0, False),
        ]
        pid = machine.pid(lab.names_of("n1").folder)
        assert pid
        os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: status(lab).state == "dead", 60)
        Lab.up(name, inventory_folder=tmp_path / "i")
        assert boot_id(lab, "n1") != before
        lab.names.plan_file.unlink()
    finally:
        Lab.down(name)
    assert traces(name) == {}
    assert machines(name) == ""
