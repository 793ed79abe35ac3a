"""What is told of a machine by its console, its loader entries and its disk, without asking it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.gptprio import Slot
from coreops.providers.namespace.lab import LabPlan
from coreops.providers.qemu import console, observed
from coreops.providers.qemu.console import POWER_ON, Boot, parse

ON = f"[2026-11-21 14:12:05] {POWER_ON}\r\n".encode()
FIRMWARE = b'BdsDxe: starting Boot0001 "UEFI Misc Device" from PciRoot(0x0)/Pci(0x2,0x0)\r\n'
KERNEL = b"[    0.000000] Linux version 6.1.0-56-cloud-amd64\r\n"
BROKEN = b"[    2.3] Kernel panic - not syncing: No working init found.\r\n"
A, B = b"initramfs: booting partition 3\r\n", b"initramfs: booting partition 4\r\n"


@pytest.mark.parametrize(
    ("text", "boot"),
    [
        (b"", Boot()),
        (ON, Boot()),
        (ON + FIRMWARE + KERNEL, Boot()),
        (ON + FIRMWARE + KERNEL + A, Boot(3)),
        (ON + KERNEL + A + b"hello\r\n" * 9999, Boot(3)),
        (ON + FIRMWARE + KERNEL + B + BROKEN + FIRMWARE, Boot(panics=1)),
        (ON + FIRMWARE + KERNEL + B + BROKEN + FIRMWARE + KERNEL + A, Boot(3, panics=1)),
        (ON + KERNEL + BROKEN + ON + KERNEL + A, Boot(3)),
        (ON + KERNEL + A + ON, Boot()),
        (ON + KERNEL + b"initramfs: no bootable slot (one needs ...); starting again\r\n", Boot(unbootable=True)),
        (ON + KERNEL + A + b"You are in emergency mode. After logging in\r\n", Boot(3, emergency=True)),
        (ON + KERNEL + b"initramfs: booting partition", Boot()),
    ],
)
def test_the_last_boot_counts(text: bytes, boot: Boot, tmp_path: Path) -> None:
    assert parse(text) == boot
    (tmp_path / "log").write_bytes(text)
    assert console.read(tmp_path / "log") == boot


def test_a_machine_that_was_never_on(tmp_path: Path) -> None:
    assert console.read(tmp_path / "log") == Boot()


@given(st.binary(max_size=200))
def test_any_noise_is_a_boot_that_tells_nothing_more(noise: bytes) -> None:
    assert parse(ON + KERNEL + A + noise).partition in (3, None)


def entry(version: int) -> str:
    return f"title x\nversion {version}\nsort-key coreops\nlinux /coreops/vmlinuz\n"


def test_entries_are_told_as_bits() -> None:
    a, b = Slot(3, "USR-A", 1, 0, True), Slot(4, "USR-B", 0, 0, False)
    assert observed.ranked([("usr-a.conf", entry(1))]) == (a, b)
    counted = [("usr-a.conf", entry(9)), ("usr-b+1.conf", entry(10)), ("notes.txt", ""), ("junk.conf", "")]
    assert observed.ranked(counted) == (a, Slot(4, "USR-B", 2, 1, False))
    tried = [("usr-a.conf", entry(1)), ("usr-b+0-1.conf", entry(2))]
    assert observed.ranked(tried) == (Slot(3, "USR-A", 2, 0, True), Slot(4, "USR-B", 1, 0, False))
    assert observed.ranked([("USR-A.CONF", entry(1))])[0] == a
    assert observed.ranked([]) == (Slot(3, "USR-A", 0, 0, False), b)


def test_a_disk_without_anything_is_a_state_to_show(tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    disk.write_bytes(bytes(1 << 20))
    assert observed.slots(disk, "uefi") == ()
    assert observed.slots(disk, "gptprio") == ()
    assert observed.release(disk, 3) is None


def test_a_plan_from_before_there_were_drivers() -> None:
    old = '{"name": "l", "subnet": "10.77.0.0/24", "zones": 1, "image": "", "nodes": [], "inventories": []}'
    plan = LabPlan.from_json(old)
    assert (plan.driver, plan.firmware) == ("namespace", "gptprio")
