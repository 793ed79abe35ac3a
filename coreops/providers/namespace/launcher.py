"""One node's machine: power supply, firmware and console. Runs as a daemon, in a mount namespace of its own.

``python -m coreops.providers.namespace.launcher LAB NODE`` attaches the node's disk, lets the firmware rule choose a
slot, mounts ROOT and /usr, and starts the node's systemd; when the node reboots, all but the first is done again. It
ends when the node is off. It writes what it does to ``run.json`` and the console log; it takes no commands.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from coreops.errors import CoreopsError
from coreops.providers.namespace import cgroup, disk, gpt
from coreops.providers.namespace.host import run, wait_until, write_atomically
from coreops.providers.namespace.names import LabNames, NodeNames

_REBOOT = 133
_PANICS = 5
_ROOT = Path("/run/root")
_DEV = Path("/run/dev")
_DEVICES = {
    "null": (1, 3),
    "zero": (1, 5),
    "full": (1, 7),
    "random": (1, 8),
    "urandom": (1, 9),
    "tty": (5, 0),
    "ptmx": (5, 2),
    "net/tun": (10, 200),
    "fuse": (10, 229),
}


def say(text: str) -> None:
    """Write a line to the console log (stdout)."""
    print(time.strftime("[%Y-%m-%d %H:%M:%S] "), text, sep="", flush=True)


@dataclass(slots=True)
class Launcher:
    """The machine of one node, from power on to power off."""

    names: NodeNames
    boots: int = 0
    panics: int = 0

    def report(self, state: str, **more: object) -> None:
        """Tell the outside how far this boot has got."""
        told = {"pid": os.getpid(), "state": state, "boots": self.boots, **more}
        write_atomically(self.names.run_file, json.dumps(told) + "\n")

    def power_on(self) -> None:
        """Run the node until it is off."""
        self.report("starting")
        # The node's interface is taken by number: its path is covered by the private /run.
        netns = os.open(f"/run/netns/{self.names.netns}", os.O_RDONLY)
        loop = disk.attach(self.names.disk)
        try:
            partitions = _private_mounts(loop)
            while self._boot(netns, partitions):
                pass
        finally:
            run(["umount", "--lazy", "/dev"])
            disk.detach(loop)
            say("power is off")

    def _boot(self, netns: int, partitions: list[int]) -> bool:
        """Boot once, wait for the end, and say whether to boot again."""
        self.boots += 1
        slot = self._firmware()
        if slot is None:
            say("firmware: no bootable slot (one needs a priority, and tries or success); halted")
            self.report("unbootable")
            return False
        try:
            self._mount(slot)
            self.report("running", slot=slot.label, partition=slot.number)
            code = self._nspawn(netns, slot, partitions)
        except CoreopsError as error:
            say(f"panic: {error}")
            code = 1
        finally:
            cgroup.kill(self.names.cgroup)
            _unmount()
        return self._after(code)

    def _after(self, code: int) -> bool:
        if _read(self.names.power_file) == "off":
            say("power was cut")
            self.report("off")
            return False
        if code == 0:
            say("the node powered itself off")
            write_atomically(self.names.power_file, "off")
            self.report("off")
            return False
        if code == _REBOOT:
            say("the node reboots")
            self.panics = 0
            return True
        self.panics += 1
        say(f"the node's init ended with status {code}; panic {self.panics} of {_PANICS}")
        if self.panics < _PANICS:
            return True
        self.report("unbootable")
        return False

    def _firmware(self) -> gpt.Slot | None:
        device = Path("/dev/vda")
        try:
            slots = disk.read_slots(device)
        except CoreopsError as error:
            say(f"firmware: {error}")
            return None
        for slot in slots:
            say(f"firmware: {slot}")
        choice = gpt.choose(slots)
        if choice is None:
            return None
        if choice.changed:
            disk.write_slot(device, choice.slot)
            say(f"firmware: one try of {choice.slot.label} is used up, {choice.slot.tries} left")
        say(f"firmware: booting {choice.slot.label} (partition {choice.slot.number})")
        return choice.slot

    def _mount(self, slot: gpt.Slot) -> None:
        _ROOT.mkdir(exist_ok=True)
        root = f"/dev/vda{disk.ROOT_NUMBER}"
        run(["mount", "-t", "ext4", "-o", "rw,noatime,discard,noinit_itable", root, str(_ROOT)])
        if not (_ROOT / "etc/machine-id").exists():
            _seed(self.names.seed, _ROOT)
        run(["mount", "-t", "squashfs", "-o", "ro", f"/dev/vda{slot.number}", str(_ROOT / "usr")])

    def _nspawn(self, netns: int, slot: gpt.Slot, partitions: list[int]) -> int:
        devices = ["/dev/vda", *(f"/dev/vda{number}" for number in partitions), "/dev/disk", "/dev/net", "/dev/fuse"]
        command = [
            *("systemd-nspawn", "--quiet", "--directory", str(_ROOT), "--machine", self.names.node),
            *("--register=no", "--keep-unit", "--console=read-only", "--resolv-conf=off", "--timezone=off"),
            *(
                "--link-journal=no",
                "--kill-signal=SIGRTMIN+4",
                "--capability=CAP_NET_ADMIN",
                "--rlimit=NOFILE=1024:524288",
            ),
            f"--network-namespace-path=/proc/{os.getpid()}/fd/{netns}",
            *(f"--bind={device}" for device in devices),
            *("--boot", f"lab.slot={slot.label}", "systemd.show_status=1"),
        ]
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, preexec_fn=lambda: cgroup.join(self.names.cgroup)
        ).returncode


def _private_mounts(loop: str) -> list[int]:
    """Cover /run and /dev: what systemd-nspawn leaves in /run dies with us, and the disk is called vda, as in a VM."""
    numbers = disk.device_numbers(loop)
    run(["mount", "-t", "tmpfs", "-o", "mode=755", "lab", "/run"])
    _DEV.mkdir()
    run(["mount", "-t", "tmpfs", "-o", "mode=755", "lab", str(_DEV)])
    for name, (major, minor) in _DEVICES.items():
        _node(_DEV / name, 0o020666, major, minor)
    for number, (major, minor) in numbers.items():
        _node(_DEV / (f"vda{number}" if number else "vda"), 0o060660, major, minor)
    links = _DEV / "disk/by-partlabel", _DEV / "disk/by-partuuid"
    for folder in links:
        folder.mkdir(parents=True)
    for partition in disk.LAYOUT:
        (links[0] / partition.label).symlink_to(f"../../vda{partition.number}")
        if partition.uuid:
            (links[1] / partition.uuid).symlink_to(f"../../vda{partition.number}")
    for name, target in {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}.items():
        (_DEV / name).symlink_to(target)
    for name in ("pts", "shm"):
        (_DEV / name).mkdir()
        run(["mount", "--bind", f"/dev/{name}", str(_DEV / name)])
    run(["mount", "--move", str(_DEV), "/dev"])
    return sorted(number for number in numbers if number)


def _node(path: Path, mode: int, major: int, minor: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mknod(path, mode, os.makedev(major, minor))
    path.chmod(mode & 0o777)


def _seed(seed: Path, root: Path) -> None:
    """First boot: put the node's own files onto ROOT, the machine-id last, so that a crash in between repeats it."""
    say("first boot: applying the seed")
    files = sorted((file for file in seed.rglob("*") if file.is_file()), key=lambda file: file.name == "machine-id")
    for file in files:
        target = root / file.relative_to(seed)
        home = target.is_relative_to(root / "home/core")
        # Folders of /home/core belong to core, as all the rest of it does.
        owner = (root / "home/core").stat() if home else root.stat()
        if not target.parent.exists():
            target.parent.mkdir(mode=0o700 if home else 0o755, parents=True)
            os.chown(target.parent, owner.st_uid, owner.st_gid)
        shutil.copyfile(file, target)
        shutil.copymode(file, target)
        os.chown(target, owner.st_uid, owner.st_gid)
    os.sync()


def _unmount() -> None:
    # A process that was killed keeps the file system busy until the kernel is done with it.
    def gone() -> bool:
        if not os.path.ismount(_ROOT):
            return True
        run(["umount", "--recursive", str(_ROOT)], check=False)
        return not os.path.ismount(_ROOT)

    if not wait_until(gone, 15.0):
        raise CoreopsError("cannot unmount the node's ROOT", why="something still uses it", next="coreops lab down")


def _read(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""


def main(lab: str, node: str) -> int:
    """Be the machine of one node. Returns at once when another launcher is."""
    os.umask(0o022)
    names = LabNames.of(lab).node(node)
    lock = os.open(names.lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("another launcher runs this node")
        return 0
    for group in (names.launcher_cgroup, names.cgroup):
        cgroup.create(group)
    cgroup.join(names.launcher_cgroup)
    try:
        Launcher(names).power_on()
    except CoreopsError as error:
        say(f"launcher: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
