"""Upgrading a virtual machine that real firmware and systemd-boot start: FAT, boot counting, and a real fall back."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from coreops.engine.engine import Engine
from coreops.engine.steps import StepsProgram
from coreops.errors import InputError
from coreops.model import Record, ShellStep, Target
from coreops.providers.namespace import disk
from coreops.providers.namespace.keys import ensure_key, make_key
from coreops.providers.qemu import esp, process, recipe, seed
from coreops.providers.qemu.argv import Uefi, Vm, argv
from coreops.providers.qemu.image import Image, ensure
from coreops.providers.qemu.machine import launch, require, tail
from coreops.upgrade.guard import Guard
from coreops.upgrade.observation import Observation, Ticket
from coreops.upgrade.slots.protocol import SlotDriver
from coreops.upgrade.slots.usr import UsrSlots

pytestmark = [pytest.mark.lab, pytest.mark.vm]

ACCEL = "tcg,thread=multi"
BOOT = 400.0


class VmRig:
    """One machine of the reference image. Its clock may be slow: every wait has a deadline of minutes."""

    def __init__(self, folder: Path, image: Image) -> None:
        self.driver: SlotDriver = UsrSlots()
        self.folder, self.image = folder, image
        self._runs = 0
        self._port = _free_port()
        self.disk, variables = folder / "disk.img", folder / "vars.fd"
        disk.copy_image(image.disk, self.disk)
        variables.write_bytes(image.ovmf_vars.read_bytes())
        (folder / "seed.tar").write_bytes(seed.pack(self._files()))
        self._vm = Vm(
            "sdboot",
            folder,
            self.disk,
            Uefi(image.ovmf_code, variables),
            fw_cfg=((seed.FW_CFG, folder / "seed.tar"),),
        )

    def _files(self) -> dict[str, tuple[int, str]]:
        host = make_key("host")
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self._port} {host.public}\n")
        return {
            "etc/machine-id": (0o444, hashlib.md5(str(self.folder).encode(), usedforsecurity=False).hexdigest() + "\n"),
            "etc/ssh/ssh_host_ed25519_key": (0o600, host.private),
            "etc/ssh/ssh_host_ed25519_key.pub": (0o644, host.public + "\n"),
            "home/core/.ssh/authorized_keys": (0o600, ensure_key(self.folder / "id", "core").public + "\n"),
        }

    def power_on(self) -> None:
        network = ["-netdev", f"user,id=net0,hostfwd=tcp:127.0.0.1:{self._port}-:22"]
        device = ["-device", "virtio-net-pci,netdev=net0,romfile="]
        launch(self.folder, "sdboot", [*argv(self._vm, ACCEL), *network, *device])
        self._await()

    def power_cut(self) -> None:
        """What the node has not written to its disk is lost."""
        process.kill(self.folder)

    def _await(self) -> None:
        deadline = time.monotonic() + BOOT
        while time.monotonic() < deadline:
            record = self._try(self.driver.survey())
            if record is not None and record.state == "ok":
                return
            time.sleep(2)
        raise AssertionError(tail(self.folder, 40))

    def _try(self, step: ShellStep) -> Record | None:
        self._runs += 1
        target = Target(
            "sdboot",
            "127.0.0.1",
            port=self._port,
            user="core",
            identity_files=(self.folder / "id",),
            known_hosts=(self.folder / "known_hosts",),
            become=True,
        )
        program = StepsProgram([step])
        with Engine({"sdboot": target}, lambda event: None, run=f"vm-{os.getpid()}-{self._runs}") as engine:
            engine.drive({"sdboot": program})
        return program.records.get(step.id)

    def do(self, step: ShellStep) -> Record:
        record = self._try(step)
        assert record is not None, tail(self.folder, 40)
        assert record.state in ("ok", "changed"), record.stderr.decode()
        return record

    def look(self) -> Observation:
        return self.driver.read(self.do(self.driver.survey()))

    def fill(self, version: str) -> None:
        """Put a release into USR-B while the machine is off. Emulated, it would take minutes to send it."""
        with self.disk.open("r+b") as whole:
            whole.seek(disk.offset(disk.SLOT_NUMBERS[1], recipe.LAYOUT) * disk.MIB)
            whole.write(self.image.usr(version).read_bytes())
        esp.put(self.disk, "/coreops/usr-b/vmlinuz", self.image.kernel_of(version))


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[VmRig]:
    try:
        require()
        made = VmRig(tmp_path, ensure(lambda event: None))
    except InputError as error:
        pytest.skip(f"no virtual machine here: {error}")
    try:
        made.fill("1.1.0")
        made.power_on()
        yield made
    finally:
        made.power_cut()


def entries(rig: VmRig) -> tuple[str, ...]:
    """Of a machine that is off; its file system must be sound."""
    table = subprocess.run(["sfdisk", "--json", str(rig.disk)], capture_output=True, text=True, check=True).stdout
    part = json.loads(table)["partitiontable"]["partitions"][0]
    copy = rig.folder / "esp.img"
    with rig.disk.open("rb") as whole:
        whole.seek(part["start"] * 512)
        copy.write_bytes(whole.read(part["size"] * 512))
    checked = subprocess.run(["fsck.vfat", "-n", str(copy)], capture_output=True, text=True, check=False)
    # Cut power leaves the mark of a file system in use, and at worst clusters that nothing uses.
    for damage in ("cluster chain", "share clusters", "Bad short file name"):
        assert damage not in checked.stdout, checked.stdout
    return esp.listing(rig.disk)


def test_each_step_is_on_the_disk_when_the_power_goes(rig: VmRig) -> None:
    before = rig.look()
    assert (before.slot, before.version, before.good, before.blockers) == ("USR-A", "1.0.0", True, ())
    ticket = Ticket(run="r", version="1.1.0", sha256="", slot="USR-B", boot_id=before.boot_id, stage="activated")
    rig.do(rig.driver.activate(ticket, Guard()))
    rig.power_cut()
    assert entries(rig) == ("usr-a.conf", "usr-b+1.conf")
    rig.power_on()
    new = rig.look()
    assert (new.slot, new.version, new.good, new.ticket) == ("USR-B", "1.1.0", False, ticket)
    assert (new.fallback, new.next) == (True, "USR-A")
    rig.do(rig.driver.mark_good(Guard()))
    rig.power_cut()
    assert entries(rig) == ("usr-a.conf", "usr-b.conf")
