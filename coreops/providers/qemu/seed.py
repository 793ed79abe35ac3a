"""A node's own files, for its first boot: a tar that the initramfs finds in QEMU's fw_cfg and unpacks onto ROOT. Pure.

Give it to QEMU as ``-fw_cfg name=opt/coreops/seed,file=...``. It counts while the node has no machine-id.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import PurePosixPath

from coreops.providers.namespace.recipe import CORE_UID

FW_CFG = "opt/coreops/seed"
MACHINE_ID = "etc/machine-id"
_CORES = PurePosixPath("home/core")


def pack(files: Mapping[str, tuple[int, str]]) -> bytes:
    """Pack files (path: permissions, content). The machine-id goes last: until it is there, all is done again."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        made: set[PurePosixPath] = set()
        for name in sorted(files, key=lambda name: (name == MACHINE_ID, name)):
            path = PurePosixPath(name)
            # Folders of the skeleton keep their permissions; only core's own are made here.
            for folder in reversed(path.parents):
                if folder.is_relative_to(_CORES) and folder != _CORES and folder not in made:
                    made.add(folder)
                    tar.addfile(_member(folder, tarfile.DIRTYPE, 0o700))
            mode, text = files[name]
            content = text.encode()
            member = _member(path, tarfile.REGTYPE, mode)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _member(path: PurePosixPath, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(str(path))
    member.type, member.mode = kind, mode
    if path.is_relative_to(_CORES):
        member.uid = member.gid = CORE_UID
    return member
