"""One node's machine: power supply, firmware and console. Runs as a daemon, in a mount namespace of its own.

``python -m coreops.providers.namespace.launcher LAB NODE`` attaches the node's disk, lets the firmware rule choose a
slot, mounts ROOT and /usr, and starts the node's systemd; when the node reboots, all but the first is done again. It
ends when the node is off. It writes what it does to ``run.json`` and the console log; it takes no commands.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from coreops.errors import CoreopsError
from coreops.providers.namespace import cgroup, disk, gpt, machine, user_data
from coreops.providers.namespace.flavour import EXTRAS
from coreops.providers.namespace.host import run, wait_until, write_atomically
from coreops.providers.namespace.names import LabNames, NodeNames
from coreops.providers.namespace.plan import LabPlan

_REBOOT = 133
_PANICS = 5
_ROOT = Path("/run/root")
_POWERS = {
    "": ("--capability=CAP_NET_ADMIN",),
    # A container engine mounts, makes devices and cgroups, and loads programs that filter devices.
    **dict.fromkeys(EXTRAS, ("--capability=all", "--system-call-filter=add_key keyctl bpf")),
}


def say(text: str) -> None:
    """Write a line to the console log (stdout)."""
    print(time.strftime("[%Y-%m-%d %H:%M:%S] "), text, sep="", flush=True)


@dataclass(slots=True)
class Launcher:
    """The machine of one node, from power on to power off."""

    names: NodeNames
    extra: str = ""
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
            partitions = machine.private_mounts(loop)
            while self._boot(netns, loop, partitions):
                pass
        finally:
            run(["umount", "--lazy", "/dev"])
            disk.detach(loop)
            say("power is off")

    def _boot(self, netns: int, loop: str, partitions: list[int]) -> bool:
        """Boot once, wait for the end, and say whether to boot again."""
        self.boots += 1
        # A new one for every boot: version 2 lets nobody into a cgroup that has handed its controllers down.
        cgroup.remove(self.names.cgroup)
        cgroup.create(self.names.cgroup)
        slot = self._firmware()
        if slot is None:
            say("firmware: no bootable slot (one needs a priority, and tries or success); halted")
            self.report("unbootable")
            return False
        try:
            self._mount(slot)
            self.report("running", slot=slot.label, partition=slot.number)
            code = self._nspawn(netns, slot, loop, partitions)
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
            say("first boot: applying the seed")
            machine.seed(self.names.seed, _ROOT)
        run(["mount", "-t", "squashfs", "-o", "ro", f"/dev/vda{slot.number}", str(_ROOT / "usr")])

    def _nspawn(self, netns: int, slot: gpt.Slot, loop: str, partitions: list[int]) -> int:
        born = user_data.offered(self.names)
        blocks = [disk.names(loop, number)[: 2 if born else 1] for number in (0, *partitions)]
        devices = [*(f"/dev/{name}" for names in blocks for name in names), "/dev/disk", "/dev/net", "/dev/fuse"]
        command = [
            *("systemd-nspawn", "--quiet", "--directory", str(_ROOT), "--machine", self.names.node),
            *("--register=no", "--keep-unit", "--console=read-only", "--resolv-conf=off", "--timezone=off"),
            *(
                "--link-journal=no",
                "--kill-signal=SIGRTMIN+4",
                "--rlimit=NOFILE=1024:524288",
            ),
            *_POWERS[self.extra],
            f"--network-namespace-path=/proc/{os.getpid()}/fd/{netns}",
            *(f"--bind={device}" for device in devices),
            *([f"--bind-ro={self.names.user_data}:{user_data.SEED}"] if born else []),
            *("--boot", f"lab.slot={slot.label}", "systemd.show_status=1"),
        ]
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, preexec_fn=lambda: cgroup.join(self.names.cgroup)
        ).returncode


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
    cgroup.create(names.launcher_cgroup)
    cgroup.join(names.launcher_cgroup)
    try:
        Launcher(names, LabPlan.from_json(names.lab.plan_file.read_text()).extra).power_on()
    except CoreopsError as error:
        say(f"launcher: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
