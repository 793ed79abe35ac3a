"""What is on the EFI system partition: systemd-boot, its entries, and a kernel for each slot. Writes without a mount.

Of the entries that have tries left the one with the highest version boots; a slot that was never written has none.
"""

from __future__ import annotations

from pathlib import Path

from coreops.providers.namespace.disk import MIB, Partition, offset
from coreops.providers.namespace.host import run
from coreops.providers.qemu.recipe import CMDLINE, LAYOUT

SORT_KEY = "coreops"
_ESP = LAYOUT[0]


def slot_name(slot: Partition) -> str:
    """What a slot is called in paths: usr-a."""
    return slot.label.lower()


def kernel_path(slot: Partition) -> str:
    """Where a slot's kernel is: one EFI program with its initramfs inside."""
    return f"/coreops/{slot_name(slot)}/vmlinuz"


def entry(slot: Partition, *, title: str, version: int) -> str:
    """Return a slot's loader entry. Pure."""
    lines = {
        "title": title,
        "version": str(version),
        "sort-key": SORT_KEY,
        "linux": kernel_path(slot),
        "options": f"{CMDLINE} coreops.usr=PARTUUID={slot.uuid}",
    }
    return "".join(f"{key} {value}\n" for key, value in lines.items())


def files(boot_manager: bytes, kernel: bytes, slot: Partition, title: str) -> dict[str, bytes]:
    """What a new disk has on it: one slot to boot. Pure."""
    return {
        "/EFI/BOOT/BOOTX64.EFI": boot_manager,
        "/loader/loader.conf": b"timeout 0\neditor no\n",
        f"/loader/entries/{slot_name(slot)}.conf": entry(slot, title=title, version=1).encode(),
        kernel_path(slot): kernel,
    }


def format(disk: Path) -> None:
    """Make an empty file system on a disk's EFI system partition."""
    at = offset(_ESP.number, LAYOUT) * MIB
    flags = ["-F", "16", "-n", "EFI-SYSTEM", "-i", "c0de0b5e", "--offset", str(at // 512), "-h", str(at // 512)]
    run(["mkfs.vfat", *flags, str(disk), str(_ESP.size * 1024)])


def put(disk: Path, path: str, content: Path) -> None:
    """Copy a file onto a disk that no machine uses, with the folders it needs."""
    image = f"{disk}@@{offset(_ESP.number, LAYOUT)}M"
    for folder in list(Path(path).parents)[-2::-1]:
        run(["mmd", "-D", "s", "-i", image, f"::{folder}"], check=False)
    run(["mcopy", "-o", "-i", image, str(content), f"::{path}"])


def write(disk: Path, content: dict[str, bytes], work: Path) -> None:
    """Make the partition, with these files. work: a folder for a moment."""
    format(disk)
    for path, data in content.items():
        file = work / "esp-file"
        file.write_bytes(data)
        put(disk, path, file)
        file.unlink()


def listing(disk: Path, folder: str = "/loader/entries") -> tuple[str, ...]:
    """Names of the files in a folder, of a disk that no machine uses."""
    image = f"{disk}@@{offset(_ESP.number, LAYOUT)}M"
    out = run(["mdir", "-b", "-i", image, f"::{folder}"]).stdout
    return tuple(sorted(line.rpartition("/")[2] for line in out.splitlines() if line))
