"""A guest image in a real machine: firmware, boot manager and initramfs do what slot drivers count on.

By console and disk alone; no network.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from coreops.errors import CoreopsError
from coreops.events import Event
from coreops.gptprio import Slot
from coreops.providers.namespace import disk
from coreops.providers.namespace.host import wait_until
from coreops.providers.namespace.image import cache_root
from coreops.providers.qemu import accel, esp, image, machine, process, recipe
from coreops.providers.qemu.argv import CONSOLE, Direct, Uefi, Vm

# An emulated machine among others takes its time.
LONG = 240.0
SLOT_B = next(part for part in recipe.LAYOUT if part.label == "USR-B")

pytestmark = pytest.mark.lab


def silent(event: Event) -> None:
    """What happens is read from the console."""


@pytest.fixture(scope="module")
def guest() -> image.Image:
    try:
        machine.require()
        return image.ensure(silent)
    except CoreopsError as error:
        pytest.skip(str(error))


@pytest.fixture
def vm(guest: image.Image, tmp_path: Path) -> Iterator[Vm]:
    disk.copy_image(guest.disk, tmp_path / "disk.img")
    shutil.copyfile(guest.ovmf_vars, tmp_path / "vars.fd")
    firmware = Uefi(guest.ovmf_code, tmp_path / "vars.fd")
    yield Vm("guest", tmp_path, tmp_path / "disk.img", firmware, cache="unsafe")
    process.kill(tmp_path)


def booted(vm: Vm) -> list[int]:
    """The slots that its initramfs has taken so far."""
    console = (vm.folder / CONSOLE).read_text(errors="replace") if (vm.folder / CONSOLE).exists() else ""
    return [int(number) for number in re.findall(r"initramfs: booting partition (\d)", console)]


def start(vm: Vm, until: Callable[[], bool]) -> None:
    machine.start(vm, accel.choose(cache_root().parent / "accel.json", silent))
    assert wait_until(until, LONG, interval=0.5), machine.tail(vm.folder, 40)
    machine.kill(vm.folder)


def test_a_slot_that_does_not_come_up_costs_its_try_and_the_other_boots(
    vm: Vm, guest: image.Image, tmp_path: Path
) -> None:
    """Real OVMF and systemd-boot; nothing of coreops has a hand in it."""
    (tmp_path / "entry").write_text(esp.entry(SLOT_B, title="new", version=2))
    esp.put(vm.disk, "/loader/entries/usr-b+1.conf", tmp_path / "entry")
    esp.put(vm.disk, esp.kernel_path(SLOT_B), guest.kernel_of("1.1.0"))  # but nothing is in the slot
    start(vm, lambda: len(booted(vm)) >= 2)
    assert booted(vm) == [4, 3]
    assert esp.listing(vm.disk) == ("usr-a.conf", "usr-b+0-1.conf")


def test_the_initramfs_counts_tries_in_the_partition_table(vm: Vm, guest: image.Image) -> None:
    with guest.usr("1.1.0").open("rb") as source, vm.disk.open("r+b") as target:
        target.seek(disk.offset(SLOT_B.number, recipe.LAYOUT) * disk.MIB)
        shutil.copyfileobj(source, target)
    disk.write_slot(vm.disk, Slot(SLOT_B.number, "USR-B", 2, 1, False))
    direct = replace(vm, boot=Direct(guest.kernel, guest.initrd_gptprio, guest.cmdline_gptprio))
    start(direct, lambda: "coreops lab 1.1.0" in (vm.folder / CONSOLE).read_text(errors="replace"))
    assert booted(vm) == [4]
    assert "initramfs: the slot is on trial" in (vm.folder / CONSOLE).read_text(errors="replace")
    assert disk.read_slots(vm.disk)[1].tries == 0
    start(direct, lambda: len(booted(vm)) >= 2)
    assert booted(vm) == [4, 3]
