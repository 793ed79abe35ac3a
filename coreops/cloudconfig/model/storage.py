"""Swap, partitions and filesystems, in Ignition's words. Not in CoreOS's cloud-config."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from coreops.cloudconfig.model.base import Line, Part, once, wrong
from coreops.cloudconfig.model.file import Path
from coreops.cloudconfig.model.unit import LONGEST, escaped

Format = Literal["ext4", "xfs", "btrfs", "vfat", "swap"]
LONGEST_LABEL: Final[dict[str, int]] = {"ext4": 16, "xfs": 12, "btrfs": 255, "vfat": 11, "swap": 15}
_GUID = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"


def _names_a_unit(path: str) -> str:
    if {".", ".."} & set(path.split("/")):
        raise ValueError("write the path without . and ..")
    if len(escaped(path)) > LONGEST:
        raise ValueError("it is too long for the name of a unit")
    return path


Device = Annotated[Line, Field(pattern=r"^/dev(/[A-Za-z0-9_@:+.,=#\\-]+)+$"), AfterValidator(_names_a_unit)]
# It stands in names and lines of units, where other characters mean something.
UnitPath = Annotated[Path, Field(pattern=r"^(/[A-Za-z0-9_@:+.-]+)+$"), AfterValidator(_names_a_unit)]
Word = Annotated[Line, Field(pattern=r"^[^\s,]+$")]
Argument = Annotated[Line, Field(min_length=1)]


class Swap(Part):
    """``swap``: a file to swap to; it is made if it is not there."""

    file: UnitPath
    size_mib: Annotated[int, Field(ge=1)]


class Partition(Part):
    """One of a disk's ``partitions``. number 0: the next; size 0: as large as can be; start 0: after the others."""

    label: Annotated[Line, Field(pattern="^[^:]*$", max_length=36)]
    number: Annotated[int, Field(ge=0, le=128)] = 0
    size_mib: Annotated[int, Field(ge=0)] = 0
    start_mib: Annotated[int, Field(ge=0)] = 0
    type_guid: Annotated[Line, Field(pattern=_GUID)] | None = None
    wipe_partition_entry: bool = False


class Disk(Part):
    """One of ``storage.disks``."""

    device: Device
    wipe_table: bool = False
    partitions: tuple[Partition, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Disk:
        parts = self.partitions
        once("label", [each.label or None for each in parts], "partitions", "label")
        once("partition number", [each.number or None for each in parts], "partitions", "number")
        rest = [index for index, each in enumerate(parts) if not each.size_mib]
        if len(rest) > 1:
            raise wrong("two partitions are to take what is left of the disk", "partitions", rest[1])
        for first, second in _overlapping(parts):
            raise wrong(
                f"it begins at {parts[second].start_mib} MiB, inside the partition {parts[first].label!r}",
                *("partitions", second, "start_mib"),
            )
        return self


def _overlapping(parts: Sequence[Partition]) -> Iterator[tuple[int, int]]:
    """Pairs of partitions that share a part of the disk, of those whose place is written."""
    placed = sorted((each.start_mib, index) for index, each in enumerate(parts) if each.start_mib)
    for (start, index), (begin, other) in pairwise(placed):
        if start + parts[index].size_mib > begin:
            yield index, other


class Filesystem(Part):
    """One of ``storage.filesystems``. options: of mkfs. path: where it is mounted; without one, it is only made."""

    device: Device
    format: Format
    path: UnitPath | None = None
    label: Line | None = None
    wipe_filesystem: bool = False
    options: tuple[Argument, ...] = ()
    mount_options: tuple[Word, ...] = ()

    @model_validator(mode="after")
    def _agrees(self) -> Filesystem:
        if self.format == "swap" and self.path is not None:
            raise wrong("swap is not mounted at a path", "path")
        if self.mount_options and self.path is None and self.format != "swap":
            raise wrong("mount_options need a path", "mount_options")
        if self.label and len(self.label.encode()) > (most := LONGEST_LABEL[self.format]):
            raise wrong(f"{self.format} takes a label of {most} bytes", "label")
        return self


class Storage(Part):
    """``storage``."""

    disks: tuple[Disk, ...] = ()
    filesystems: tuple[Filesystem, ...] = ()

    @model_validator(mode="after")
    def _once(self) -> Storage:
        once("device", [disk.device for disk in self.disks], "disks", "device")
        once("device", [each.device for each in self.filesystems], "filesystems", "device")
        once("path", [each.path for each in self.filesystems], "filesystems", "path")
        divided = {disk.device for disk in self.disks if disk.partitions}
        for index, each in enumerate(self.filesystems):
            if each.device in divided:
                raise wrong(f"{each.device} is divided into partitions: name one", "filesystems", index, "device")
        return self
