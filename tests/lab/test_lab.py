"""The namespace lab itself, on real nodes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.providers.namespace import cgroup, disk, gpt, udev
from coreops.providers.namespace.host import lock_held, run, wait_until
from coreops.providers.namespace.lab import Lab
from coreops.providers.namespace.names import LabNames
from coreops.providers.namespace.node import NodeStatus, is_ready, run_state
from tests.support import warm

pytestmark = pytest.mark.lab


def ssh(lab: Lab, node: str, command: str) -> str:
    done = subprocess.run(lab.ssh_command(node, [command]), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def status(lab: Lab, node: str) -> NodeStatus:
    return next(each for each in lab.status() if each.node == node)


def boot_id(lab: Lab, node: str) -> str:
    return ssh(lab, node, "cat /proc/sys/kernel/random/boot_id")


def traces(name: str) -> dict[str, list[str]]:
    """Everything a lab may leave on this machine. Others may have labs of their own at the same time."""
    names = LabNames.of(name)
    netns, mounts = Path("/run/netns"), Path("/proc/self/mountinfo").read_text().splitlines()
    launchers = subprocess.run(["pgrep", "-f", f"namespace.launcher {name} "], capture_output=True, text=True).stdout
    groups = [tree.path / names.cgroup for tree in cgroup.hierarchies()]
    found = {
        "processes": [*launchers.split(), *map(str, cgroup.processes(names.cgroup))],
        "cgroups": [str(group) for group in groups if group.exists()],
        "namespaces": [file.name for file in netns.iterdir() if names.switch in file.name] if netns.is_dir() else [],
        "links": [file.name for file in Path("/sys/class/net").iterdir() if file.name == names.uplink],
        "loops": list(disk.loops_below(names.folder)),
        "mounts": [line for line in mounts if name in line],
        "files": [str(file) for file in (names.folder, udev.rules_file(names)) if file.exists()],
    }
    return {kind: each for kind, each in found.items() if each}


@pytest.fixture
def clean(lab_host: None) -> Iterator[Callable[[], str]]:
    """Give names for throwaway labs; afterwards nothing of them may be left."""
    made = []

    def name() -> str:
        made.append("t" + uuid.uuid4().hex[:8])
        return made[-1]

    yield name
    for each in made:
        Lab.down(each)
        assert traces(each) == {}


def test_a_node_is_what_coreops_promises_to_find(lab: Lab) -> None:
    assert ssh(lab, "n1", "systemctl is-system-running --wait") == "running"
    assert ssh(lab, "n1", "sudo -n id -u") == "0"
    assert ssh(lab, "n1", "id -un; hostname") == "core\nn1"
    assert ssh(lab, "n1", "lab-release; . /etc/os-release; echo $ID $VERSION_ID") == "1.0.0\ncoreops-lab 1.0.0"
    for name in ("python3", "python", "perl", "apt", "apt-get", "dpkg", "etcd"):
        assert ssh(lab, "n1", f"command -v {name} || echo none") == "none"
    assert ssh(lab, "n1", "touch /usr/x 2>&1 || true").endswith("Read-only file system")
    assert ssh(lab, "n1", "findmnt -n -o SOURCE /usr; findmnt -n -o SOURCE /") == "/dev/vda3\n/dev/vda9"
    assert len({ssh(lab, node.name, "cat /etc/machine-id") for node in lab.nodes}) == 3
    assert {node.zone for node in lab.nodes} == {"z1", "z2", "z3"}
    labels = ssh(lab, "n1", "ls /dev/disk/by-partlabel").split()
    assert {"EFI-SYSTEM", "USR-A", "USR-B", "OEM", "ROOT"} <= set(labels)


@pytest.mark.skipif(not Path("/run/udev/control").exists(), reason="this host has no udev")
def test_the_host_does_not_take_the_labs_disks_for_its_own(lab: Lab) -> None:
    """Every node's disk has CoreOS's labels; a CoreOS-style host has them too."""
    run(["udevadm", "trigger", "--settle", "--subsystem-match=block"])
    loops = disk.loops_below(lab.names.folder)
    assert len(loops) == 3
    links = [link for link in Path("/dev/disk").glob("by-*/*") if link.resolve().name.split("p")[0] in loops]
    # by-path and by-diskseq, where there are any, say which device it is and no more.
    assert [link for link in links if link.parent.name not in ("by-path", "by-diskseq", "by-loop-ref")] == []


@pytest.mark.skipif(
    [tree.version for tree in cgroup.hierarchies()] != [2], reason="this host does not have pure cgroup version 2"
)
def test_a_node_can_limit_memory_and_tasks(lab: Lab) -> None:
    ssh(lab, "n1", "sudo systemd-run --quiet --unit=limited -p MemoryMax=32M -p TasksMax=7 sleep 300")
    folder = "/sys/fs/cgroup/system.slice/limited.service"
    assert ssh(lab, "n1", f"cat {folder}/memory.max {folder}/pids.max") == f"{32 << 20}\n7"
    ssh(lab, "n1", "sudo systemctl stop limited")


def test_nodes_reach_each_other_and_the_controller(lab: Lab) -> None:
    for target in (*(node.address for node in lab.nodes), lab.plan.controller_address):
        ssh(lab, "n1", f"ping -c 1 -W 5 {target}")


def test_the_inventory_is_ready_for_plain_ssh(lab: Lab) -> None:
    folder = lab.inventory
    assert (folder / "id_ed25519").stat().st_mode & 0o777 == 0o600
    options = [f"-oUserKnownHostsFile={folder / 'known_hosts'}", "-oStrictHostKeyChecking=yes", "-oBatchMode=yes"]
    run(
        ["ssh", "-F", "/dev/null", *options, "-i", str(folder / "id_ed25519"), f"core@{lab.node('n2').address}", "true"]
    )


def test_up_again_changes_nothing(lab: Lab) -> None:
    before = boot_id(lab, "n1"), status(lab, "n1")
    Lab.up(lab.names.lab, inventory_folder=lab.inventory)
    assert (boot_id(lab, "n1"), status(lab, "n1")) == before


def test_reboot_inside_really_restarts_the_node(healthy: Lab) -> None:
    before = boot_id(healthy, "n1"), ssh(healthy, "n1", "cat /etc/machine-id")
    names, node = healthy.names_of("n1"), healthy.node("n1")
    boots = run_state(names)["boots"]
    ssh(healthy, "n1", "echo kept | sudo tee /opt/kept")
    # The reboot may close the session before the command's exit status has come.
    subprocess.run(healthy.ssh_command("n1", ["sudo systemctl reboot"]), capture_output=True, timeout=60)
    assert wait_until(lambda: run_state(names).get("boots") == boots + 1 and is_ready(names, node), 60)
    assert boot_id(healthy, "n1") != before[0]
    assert ssh(healthy, "n1", "cat /etc/machine-id /opt/kept") == f"{before[1]}\nkept"


def test_a_new_release_has_one_try_and_falls_back_unless_marked_good(healthy: Lab) -> None:
    usr = healthy.image.usr("1.1.0")
    with usr.open("rb") as stream:
        write = healthy.ssh_command("n2", ["sudo dd of=/dev/disk/by-partlabel/USR-B bs=1M conv=fsync status=none"])
        subprocess.run(write, stdin=stream, check=True, timeout=60)
    activate = "sudo cgpt add -i 4 -P 2 -T 1 -S 0 /dev/vda"
    ssh(healthy, "n2", activate)

    healthy.chaos("n2", "reboot")
    now = status(healthy, "n2")
    assert (now.slot, now.release) == ("USR-B", "1.1.0")
    assert now.slots[1] == gpt.Slot(4, "USR-B", priority=2, tries=0, successful=False)
    assert ssh(healthy, "n2", "lab-release") == "1.1.0"

    healthy.chaos("n2", "reboot")
    assert status(healthy, "n2").slot == "USR-A"

    ssh(healthy, "n2", activate)
    healthy.chaos("n2", "reboot")
    ssh(healthy, "n2", "sudo cgpt add -i 4 -S 1 /dev/vda")
    healthy.chaos("n2", "reboot")
    assert status(healthy, "n2").release == "1.1.0"
    ssh(healthy, "n2", "sudo cgpt add -i 4 -P 0 -S 0 /dev/vda")
    healthy.chaos("n2", "reboot")
    assert status(healthy, "n2").release == "1.0.0"


def test_a_broken_image_panics_once_and_falls_back(healthy: Lab) -> None:
    ssh(healthy, "n3", "sudo dd if=/dev/zero of=/dev/vda4 bs=1M count=1 conv=fsync status=none")
    ssh(healthy, "n3", "sudo cgpt add -i 4 -P 2 -T 1 -S 0 /dev/vda")
    healthy.chaos("n3", "reboot")
    assert status(healthy, "n3").slot == "USR-A"
    assert "panic: mount" in healthy.log("n3").read_text()


def test_no_bootable_slot_is_unbootable_and_said_so(clean: Callable[[], str], tmp_path: Path) -> None:
    lab = Lab.up(clean(), nodes=1, inventory_folder=tmp_path / "i")
    ssh(lab, "n1", "sudo cgpt add -i 3 -P 0 /dev/vda")
    lab.chaos("n1", "reboot", wait=False)
    assert wait_until(lambda: status(lab, "n1").state == "unbootable", 120)
    assert "no bootable slot" in lab.log("n1").read_text()


def test_kill_loses_what_was_not_synced_and_poweron_boots_again(healthy: Lab) -> None:
    ssh(healthy, "n1", "echo safe | sudo tee /opt/safe; sync; echo lost | sudo tee /opt/lost")
    before = boot_id(healthy, "n1")
    healthy.chaos("n1", "kill")
    assert status(healthy, "n1").state == "off"
    healthy.chaos("n1", "poweron")
    assert boot_id(healthy, "n1") != before
    assert ssh(healthy, "n1", "cat /opt/safe; cat /opt/lost 2>/dev/null || true") == "safe"


def test_freeze_and_thaw(healthy: Lab) -> None:
    before = boot_id(healthy, "n2")
    healthy.chaos("n2", "freeze")
    assert status(healthy, "n2").state == "frozen"
    with pytest.raises(InputError, match="frozen"):
        healthy.chaos("n2", "reboot")
    healthy.chaos("n2", "thaw")
    assert boot_id(healthy, "n2") == before


def test_a_frozen_node_can_lose_its_power(healthy: Lab) -> None:
    healthy.chaos("n2", "freeze")
    healthy.chaos("n2", "kill")
    assert status(healthy, "n2").state == "off"


def test_cut_and_heal(healthy: Lab) -> None:
    healthy.chaos("n3", "cut")
    assert status(healthy, "n3").link == "cut"
    with pytest.raises(OSError, match=r"timed out|No route"):
        socket.create_connection((healthy.node("n3").address, 22), timeout=1)
    ssh(healthy, "n1", f"! ping -c 1 -W 1 {healthy.node('n3').address}")
    healthy.chaos("n3", "heal")
    assert wait_until(lambda: is_ready(healthy.names_of("n3"), healthy.node("n3")), 60)
    ssh(healthy, "n1", f"ping -c 1 -W 5 {healthy.node('n3').address}")


def test_poweroff_and_poweron(healthy: Lab) -> None:
    healthy.chaos("n1", "poweroff")
    assert (status(healthy, "n1").state, status(healthy, "n1").pid) == ("off", None)
    with pytest.raises(InputError, match="not running"):
        healthy.chaos("n1", "freeze")
    healthy.chaos("n1", "poweron")
    assert status(healthy, "n1").state == "running"


def test_fill_disk_and_free_disk(healthy: Lab) -> None:
    healthy.chaos("n2", "fill-disk")
    assert "No space left" in ssh(
        healthy, "n2", "head -c 1000000 /dev/zero 2>&1 | sudo tee /opt/big 2>&1 >/dev/null || true"
    )
    assert healthy.names_of("n2").disk.stat().st_blocks * 512 < 1 << 30
    healthy.chaos("n2", "free-disk")
    ssh(healthy, "n2", "head -c 1000000 /dev/zero | sudo tee /opt/big >/dev/null && sudo rm /opt/big")


def test_unknown_node_and_action(lab: Lab) -> None:
    with pytest.raises(InputError, match="n1"):
        lab.chaos("n11", "kill")
    with pytest.raises(InputError, match="did you mean 'freeze'"):
        lab.chaos("n1", "freez")


def test_two_labs_side_by_side(lab: Lab, clean: Callable[[], str], tmp_path: Path) -> None:
    other = Lab.up(clean(), nodes=1, inventory_folder=tmp_path / "i")
    assert other.plan.subnet != lab.plan.subnet
    assert ssh(other, "n1", "hostname") == ssh(lab, "n1", "hostname")
    Lab.down(other.names.lab)
    assert ssh(lab, "n1", "hostname") == "n1"
    assert not (tmp_path / "i").exists()


def test_a_lab_grows(clean: Callable[[], str], tmp_path: Path) -> None:
    name = clean()
    small = Lab.up(name, nodes=1, inventory_folder=tmp_path / "i")
    before = boot_id(small, "n1")
    large = Lab.up(name, nodes=2, inventory_folder=tmp_path / "i")
    assert boot_id(large, "n1") == before
    assert ssh(large, "n2", "hostname") == "n2"
    with pytest.raises(InputError, match="has 2 nodes"):
        Lab.up(name, nodes=1, inventory_folder=tmp_path / "i")


def test_down_after_the_launcher_was_killed(clean: Callable[[], str], tmp_path: Path) -> None:
    lab = Lab.up(clean(), nodes=1, inventory_folder=tmp_path / "i")
    os.kill(run_state(lab.names_of("n1"))["pid"], signal.SIGKILL)
    assert wait_until(lambda: status(lab, "n1").state == "orphan", 60)


def test_up_repairs_a_lab_whose_launcher_was_killed(clean: Callable[[], str], tmp_path: Path) -> None:
    name = clean()
    lab = Lab.up(name, nodes=1, inventory_folder=tmp_path / "i")
    os.kill(run_state(lab.names_of("n1"))["pid"], signal.SIGKILL)
    assert wait_until(lambda: not lock_held(lab.names_of("n1").lock), 60)
    Lab.up(name, inventory_folder=tmp_path / "i")
    assert status(lab, "n1").state == "running"
    healthy_boot = boot_id(lab, "n1")
    lab.chaos("n1", "reboot")
    assert boot_id(lab, "n1") != healthy_boot


def test_down_after_the_state_file_was_lost(clean: Callable[[], str], tmp_path: Path) -> None:
    lab = Lab.up(clean(), nodes=1, inventory_folder=tmp_path / "i")
    lab.names.plan_file.unlink()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("moment", ["id_ed25519", "nodes/n1/disk.img", "nodes/n2/run.json"])
def test_up_interrupted_anywhere(clean: Callable[[], str], tmp_path: Path, how: signal.Signals, moment: str) -> None:
    name = clean()
    names = LabNames.of(name)
    code = "from coreops.cli import main; main()"
    command = [sys.executable, "-c", code, "lab", "up", "--name", name, "--nodes", "2"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=-1, stderr=subprocess.STDOUT, text=True) as process:
        assert wait_until(lambda: (names.folder / moment).exists() or process.poll() is not None, 60, 0.005)
        process.send_signal(how)
        said = process.communicate(timeout=60)[0]
    if how == signal.SIGINT and process.returncode != 0:
        assert process.returncode == 5, said
        assert not names.folder.exists()
        assert not (tmp_path / "inventories").exists()
    lab = Lab.up(name, nodes=2, inventory_folder=tmp_path / "i")
    assert [each.state for each in lab.status()] == ["running", "running"]


def test_the_command_line(clean: Callable[[], str], tmp_path: Path) -> None:
    name = clean()

    def lab(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-c", warm.MAIN, "lab", *words, "--name", name]
        if "--" in words:
            argv = [sys.executable, "-c", warm.MAIN, "lab", words[0], "--name", name, *words[1:]]
        return warm.run(argv, cwd=tmp_path, timeout=120)

    assert "there was no lab" in lab("down").stdout
    missing = lab("status")
    assert missing.returncode == 2
    assert "there is no lab" in missing.stderr
    assert lab("up", "--nodes", "1").returncode == 0
    told = json.loads(lab("status", "--json").stdout)
    assert told["nodes"][0]["slots"]["USR-A"] == {"priority": 1, "tries": 0, "successful": True}
    assert "running" in lab("status").stdout
    assert lab("ssh", "n1", "--", "sh", "-c", 'echo "$1"; exit 7', "x", "a  b $HOME").stdout == "a  b $HOME\n"
    assert lab("ssh", "n1", "--", "exit 7").returncode == 7
    assert "booting USR-A" in lab("logs", "n1").stdout
    assert lab("chaos", "n1", "freeze").returncode == 0
    assert "frozen" in lab("status").stdout
    assert (tmp_path / "inventories" / name / "hosts.yml").exists()
    assert lab("down").returncode == 0
    assert not (tmp_path / "inventories" / name).exists()


def test_a_damaged_partition_table_is_survived_and_a_lost_one_is_said(clean: Callable[[], str], tmp_path: Path) -> None:
    lab = Lab.up(clean(), nodes=1, inventory_folder=tmp_path / "i")
    zero = "sudo dd if=/dev/zero of=/dev/vda bs=512 conv=fsync status=none"
    ssh(lab, "n1", f"{zero} seek=1 count=33")
    lab.chaos("n1", "reboot")
    assert status(lab, "n1").slot == "USR-A"
    ssh(lab, "n1", f"{zero} seek=0 count=34; {zero} seek={disk.size() * 2048 - 33} count=33")
    lab.chaos("n1", "reboot", wait=False)
    assert wait_until(lambda: status(lab, "n1").state == "unbootable", 120)
    assert status(lab, "n1").slots == ()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_build_leaves_no_process_and_no_mount(
    clean: Callable[[], str], tmp_path: Path, how: signal.Signals
) -> None:
    cache = tmp_path / "cache"
    command = [sys.executable, "-c", "from coreops.cli import main; main()", "lab", "up", "--name", clean()]
    with subprocess.Popen(command, cwd=tmp_path, env=os.environ | {"COREOPS_CACHE": str(cache)}, stderr=-1) as process:
        assert wait_until(lambda: any(cache.glob("images/.build-*/tree/usr")), 60)
        process.send_signal(how)
        process.communicate(timeout=60)
    pattern = ["pgrep", "-f", f"mmdebstrap.*{cache}"]
    assert wait_until(lambda: subprocess.run(pattern, capture_output=True).stdout == b"", 90)
    assert str(cache) not in Path("/proc/self/mountinfo").read_text()
    assert process.returncode == (5 if how == signal.SIGINT else -how)
    if how == signal.SIGINT:
        assert not list(cache.glob("images/.build-*"))
