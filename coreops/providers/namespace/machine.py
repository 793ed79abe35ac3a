"""What a node finds inside its machine: device nodes named as in a VM, and on the first boot its own files on ROOT.

Only for the launcher, in its private mount namespace; on the host's own mounts this would do harm.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from coreops.providers.namespace import disk
from coreops.providers.namespace.host import run

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


def private_mounts(loop: str) -> list[int]:
    """Cover /run and /dev: what systemd-nspawn leaves in /run dies with us, and the disk is called vda, as in a VM.

    It keeps its name in the kernel as well: lsblk knows no other, and cloud-init opens what lsblk says.
    """
    numbers = disk.device_numbers(loop)
    run(["mount", "-t", "tmpfs", "-o", "mode=755", "lab", "/run"])
    _DEV.mkdir()
    run(["mount", "-t", "tmpfs", "-o", "mode=755", "lab", str(_DEV)])
    for name, (major, minor) in _DEVICES.items():
        _node(_DEV / name, 0o020666, major, minor)
    for number, (major, minor) in numbers.items():
        for name in disk.names(loop, number):
            _node(_DEV / name, 0o060660, major, minor)
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


def seed(source: Path, root: Path) -> None:
    """First boot: put the node's own files onto ROOT, the machine-id last, so that a crash in between repeats it."""
    files = sorted((file for file in source.rglob("*") if file.is_file()), key=lambda file: file.name == "machine-id")
    for file in files:
        target = root / file.relative_to(source)
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
