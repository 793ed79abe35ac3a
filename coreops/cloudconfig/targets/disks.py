"""Disks and filesystems in the keys of cloud-init: ``disk_setup``, ``fs_setup``. Data on a disk is not overwritten,
unless the node says so.
"""

from __future__ import annotations

from typing import Any, Final

from coreops.cloudconfig.loss import Loss
from coreops.cloudconfig.model.storage import Disk, Filesystem, Storage

_LINUX: Final = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
_SWAP: Final = "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"
_PERCENT = "cloud-init gives partitions a part of the disk in percent, not a place in MiB; the disk is left as it is"


def keys(storage: Storage, losses: list[Loss]) -> dict[str, Any]:
    """The keys that cloud-init has, empty ones too; what it has none for goes to losses."""
    aliases: dict[str, str] = {}
    setup = {disk.device: _disk(disk, losses) for disk in storage.disks}
    return {
        "disk_setup": {_named(device, aliases): one for device, one in setup.items() if one} or None,
        "fs_setup": [_filesystem(each, aliases) for each in storage.filesystems],
        "device_aliases": aliases or None,
    }


def _named(device: str, aliases: dict[str, str]) -> str:
    """cloud-init takes what follows a dot for the number of a partition, but not in an alias."""
    if "." not in device:
        return device
    known = {path: name for name, path in aliases.items()}
    name = known.get(device, f"disk{len(aliases)}")
    aliases[name] = device
    return name


def _disk(disk: Disk, losses: list[Loss]) -> dict[str, Any]:
    key = f"storage.disks[{disk.device}]"
    if not disk.partitions:
        return {"layout": "remove"} if disk.wipe_table else {}
    kind = (disk.partitions[0].type_guid or _LINUX).upper()
    one = disk.partitions[0]
    whole = len(disk.partitions) == 1 and not one.size_mib and not one.start_mib and one.number < 2
    if not whole or kind not in (_LINUX, _SWAP):
        why = _PERCENT if not whole else "cloud-init makes only partitions of Linux and swap; the disk is left as it is"
        losses += [Loss(f"{key}.wipe_table", why)] if disk.wipe_table else []
        losses += [Loss(f"{key}.partitions[{each.label}]", why) for each in disk.partitions]
        return {}
    losses.append(Loss(f"{key}.partitions[{one.label}].label", "cloud-init names no partitions"))
    if one.wipe_partition_entry:
        why = "cloud-init keeps a partition that is there, or divides the disk anew with wipe_table"
        losses.append(Loss(f"{key}.partitions[{one.label}].wipe_partition_entry", why))
    layout = True if kind == _LINUX else [[100, 82]]
    return {"table_type": "gpt", "layout": layout, "overwrite": disk.wipe_table}


def _filesystem(one: Filesystem, aliases: dict[str, str]) -> dict[str, Any]:
    said: dict[str, Any] = {"device": _named(one.device, aliases), "filesystem": one.format}
    if one.label is not None:
        said["label"] = one.label
    # auto: one of that kind and label is kept, one of another kind too. none: made always.
    said |= {"partition": "none", "overwrite": True} if one.wipe_filesystem else {"partition": "auto"}
    return said | ({"extra_opts": list(one.options)} if one.options else {})
