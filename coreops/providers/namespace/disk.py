"""A node's disk: CoreOS's partitions in an image file, the loop device it is attached to, and the slots' bits on it."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coreops.errors import CoreopsError
from coreops.providers.namespace.gpt import SLOT_TYPE, Slot, format_attributes, parse_table
from coreops.providers.namespace.host import run, wait_until

MIB = 1024 * 1024
_STEP = 16 * MIB
_DATA = "0fc63daf-8483-4772-8e79-3d69d8477de4"


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition as it stands on a fresh disk. Sizes in MiB."""

    number: int
    label: str
    type: str
    size: int
    uuid: str | None = None
    attributes: int = 0


LAYOUT = (
    Partition(1, "EFI-SYSTEM", "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", 32),
    Partition(2, "BIOS-BOOT", "21686148-6449-6e6f-744e-656564454649", 2),
    Partition(
        3,
        "USR-A",
        SLOT_TYPE,
        256,
        "7130c94a-213a-4e5a-8e26-6cce9662f132",
        Slot(3, "USR-A", 1, 0, True).attributes,
    ),
    Partition(4, "USR-B", SLOT_TYPE, 256, "e03dd35c-7c2d-4a47-b3fe-27f15780a57c"),
    Partition(6, "OEM", _DATA, 32),
    Partition(7, "OEM-CONFIG", "c95dc21a-df0e-4340-8d7b-26cbfa9a03e0", 16),
    Partition(9, "ROOT", "3884dd41-8582-4404-b9a8-e9b84f2df50e", 4096),
)
ROOT_NUMBER = 9
SLOT_NUMBERS = (3, 4)


def offset(number: int, layout: Sequence[Partition] = LAYOUT) -> int:
    """Return where a partition begins, in MiB. Pure."""
    at = 1
    for partition in layout:
        if partition.number == number:
            return at
        at += partition.size
    raise KeyError(number)


def size(layout: Sequence[Partition] = LAYOUT) -> int:
    """Return the size of a disk in MiB: the partitions and one MiB at each end for the two tables. Pure."""
    return 2 + sum(partition.size for partition in layout)


def sfdisk_script(layout: Sequence[Partition] = LAYOUT) -> str:
    """Return the layout in sfdisk's input format. Pure."""
    lines = ["label: gpt", "unit: sectors"]
    for partition in layout:
        fields = {
            "start": str(offset(partition.number, layout) * 2048),
            "size": str(partition.size * 2048),
            "type": partition.type,
            "name": f'"{partition.label}"',
            "uuid": partition.uuid,
            "attrs": f'"{format_attributes(partition.attributes)}"' if partition.attributes else None,
        }
        lines.append(
            f"disk{partition.number} : " + ", ".join(f"{key}={value}" for key, value in fields.items() if value)
        )
    return "\n".join(lines) + "\n"


def make_template(path: Path, usr_image: Path, skeleton: Path, layout: Sequence[Partition] = LAYOUT) -> None:
    """Build the disk every new node starts from: the first release in USR-A, the skeleton on ROOT. Needs no mount."""
    with path.open("wb") as stream:
        stream.truncate(size(layout) * MIB)
    run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(path)], input=sfdisk_script(layout))
    slot, root = (next(p for p in layout if p.number == number) for number in (SLOT_NUMBERS[0], ROOT_NUMBER))
    if usr_image.stat().st_size > slot.size * MIB:
        raise CoreopsError(f"{usr_image.name} does not fit into {slot.label} ({slot.size} MiB)")
    with usr_image.open("rb") as source, path.open("r+b") as stream:
        stream.seek(offset(slot.number, layout) * MIB)
        while chunk := source.read(MIB):
            stream.write(chunk)
    # Few inodes and no background zeroing of their tables: the image file stays small.
    options = f"offset={offset(root.number, layout) * MIB},lazy_itable_init=1,lazy_journal_init=1,nodiscard"
    flags = ["-q", "-F", "-L", root.label, "-N", "131072", "-E", options, "-d", str(skeleton)]
    run(["mkfs.ext4", *flags, str(path), f"{root.size}M"])


def loops_below(folder: Path) -> dict[str, Path]:
    """Return the loop devices (``loop3``) whose image file is, or was, in the folder."""
    found = {}
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            backing = Path(file.read_text().strip().removesuffix(" (deleted)"))
        except OSError:
            continue  # detached between the glob and the read
        if backing.is_relative_to(folder):
            found[file.parts[3]] = backing
    return found


def attach(image: Path) -> str:
    """Attach an image to a loop device with its partitions and return the device's name. Detaches stale ones first."""
    for stale in loops_below(image):
        detach(stale)
    loop = run(["losetup", "--find", "--show", str(image)]).stdout.strip()
    # Not through the page cache a second time; not every file system can.
    run(["losetup", "--direct-io=on", loop], check=False)
    # By hand: kernels without a GPT parser exist. Not --update: it miscounts numbers with gaps.
    run(["partx", "--add", loop])
    return Path(loop).name


def device_numbers(loop: str) -> dict[int, tuple[int, int]]:
    """Return major and minor of the disk (number 0) and of each partition."""
    folders = {0: Path("/sys/block") / loop}
    for file in folders[0].glob(f"{loop}p*/partition"):
        folders[int(file.read_text())] = file.parent
    numbers = {}
    for number, folder in folders.items():
        major, minor = (folder / "dev").read_text().split(":")
        numbers[number] = (int(major), int(minor))
    return numbers


def names(loop: str, number: int) -> tuple[str, str]:
    """Return what a partition (0: the whole disk) is called in a node, and in the kernel. Pure."""
    return (f"vda{number}", f"{loop}p{number}") if number else ("vda", loop)


def detach(loop: str) -> None:
    """Detach a loop device and its partitions. Whatever was mounted from it must be gone first."""
    device = f"/dev/{loop}"
    backing = Path("/sys/block") / loop / "loop" / "backing_file"

    def gone() -> bool:
        if backing.exists():
            run(["partx", "--delete", device], check=False)
            # Detaching a device with a partition in use would only mark it, and never free it.
            if not any((Path("/sys/block") / loop).glob(f"{loop}p*")):
                run(["losetup", "--detach", device], check=False)
        return not backing.exists()

    if not wait_until(gone, 10.0):
        raise CoreopsError(
            f"the loop device {device} is still in use",
            why="something has mounted or opened it",
            next=f"end what uses it (see lsblk, fuser -vm {device}*), then coreops lab down",
        )


def read_slots(device: Path) -> tuple[Slot, ...]:
    """Read the slots' bits from a disk or image file; sfdisk takes the second table when the first is damaged."""
    return parse_table(json.loads(run(["sfdisk", "--json", str(device)]).stdout))


def write_slot(device: Path, slot: Slot) -> None:
    """Write one slot's bits, to both tables."""
    change = ["--part-attrs", str(device), str(slot.number), format_attributes(slot.attributes)]
    run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", *change])


def copy_image(source: Path, target: Path) -> None:
    """Copy a disk with its holes, sharing blocks where the file system can.

    Not by a program: it would outlive a caller that is killed, and go on writing while the machine runs.
    """
    temporary = target.with_name(f".{target.name}.tmp")
    with source.open("rb") as reading, temporary.open("wb") as writing:
        size, at = os.fstat(reading.fileno()).st_size, 0
        while at < size:
            try:
                at = os.lseek(reading.fileno(), at, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                break  # only a hole is left
            end = os.lseek(reading.fileno(), at, os.SEEK_HOLE)
            while at < end:
                at += _copied(reading.fileno(), writing.fileno(), at, min(end - at, _STEP))
        os.truncate(writing.fileno(), size)
    os.replace(temporary, target)


def _copied(source: int, target: int, at: int, count: int) -> int:
    try:
        copied = os.copy_file_range(source, target, count, at, at)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
        copied = os.pwrite(target, os.pread(source, count, at), at)
    if not copied:
        raise CoreopsError("an image became shorter while it was copied", next="run the same command again")
    return copied
