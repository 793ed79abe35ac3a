"""What a machine starts from: a copy of a disk, and its firmware or kernel beside it, all in the machine's folder.

So a machine goes on when images are built anew or thrown away.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coreops.errors import CoreopsError, InputError
from coreops.events import Emit
from coreops.providers.namespace.disk import copy_image
from coreops.providers.namespace.host import write_atomically
from coreops.providers.namespace.recipe import RELEASES
from coreops.providers.qemu.argv import Direct, Uefi
from coreops.providers.qemu.image import Image, put_release
from coreops.providers.qemu.settings import Settings, Target

DISK = "disk.img"
_CODE, _VARS = "firmware.fd", "variables.fd"
_KERNEL, _INITRD, _CMDLINE = "vmlinuz", "initrd", "cmdline"
_QCOW2 = b"QFI\xfb"
_SPARE: Final = 64 << 20
# (code, variables): Debian's newer and older package, Fedora's, Arch's
_FIRMWARE: Final = (
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
    ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
)


def guest(emit: Emit, target: Target) -> Image:
    """coreops's guest that reads user-data of a kind."""
    from coreops.providers.namespace.flavour import CLOUD_INIT, PLAIN
    from coreops.providers.qemu.image import ensure

    return ensure(emit, PLAIN if target == "ignition" else CLOUD_INIT)


@dataclass(frozen=True, slots=True)
class Disks:
    """Where disks come from. firmware: (code, variables) for images of the operator's own; None: this machine's."""

    image: Callable[[Emit, Target], Image] = guest
    firmware: tuple[Path, Path] | None = None

    def ensure(self, folder: Path, settings: Settings, own: Path | None, emit: Emit) -> None:
        """Put what a machine starts from into its folder, as far as it is missing. Raises CoreopsError, InputError.

        own: an image of the operator's, which is taken as it is.
        """
        if (folder / DISK).exists():
            return
        image: Image | None = None
        if own is not None:
            code, variables = self.firmware or _of_this_machine()
            source, parts = own, {_CODE: code, _VARS: variables}
        else:
            image = self.image(emit, settings.target)
            source = image.disk
            parts = {_CODE: image.ovmf_code, _VARS: image.ovmf_vars}
            if settings.firmware == "gptprio":
                parts = {_KERNEL: image.kernel, _INITRD: image.initrd_gptprio}
                write_atomically(folder / _CMDLINE, image.cmdline_gptprio)
        _check_room(folder, source)
        for name, part in parts.items():
            shutil.copyfile(part, folder / name)
        made = folder / f".{DISK}.tmp"
        copy_image(source, made)
        if image is not None and settings.release != RELEASES[0]:
            put_release(image, settings.release, made)
        # last: when it is there, all is there
        os.replace(made, folder / DISK)


def boot(folder: Path) -> Uefi | Direct:
    """How the machine of a folder boots."""
    if (folder / _CODE).exists():
        return Uefi(folder / _CODE, folder / _VARS)
    return Direct(folder / _KERNEL, folder / _INITRD, (folder / _CMDLINE).read_text())


def check_own(image: Path, where: object) -> None:
    """Refuse an image that no machine could start from. Raises InputError."""
    try:
        with image.open("rb") as stream:
            magic = stream.read(4)
    except OSError as error:
        raise InputError(f"qemu_image {str(image)!r} cannot be read", where=where, why=error.strerror) from None
    if magic == _QCOW2:
        raise InputError(
            f"qemu_image {str(image)!r} is a qcow2 image",
            where=where,
            why="every machine gets a copy of a raw disk",
            next="qemu-img convert -O raw IMAGE IMAGE.raw",
        )


def _of_this_machine() -> tuple[Path, Path]:
    for code, variables in _FIRMWARE:
        if Path(code).exists() and Path(variables).exists():
            return Path(code), Path(variables)
    raise InputError(
        "no UEFI firmware for virtual machines is installed",
        why=f"looked for {', '.join(code for code, _ in _FIRMWARE)}",
        next="apt-get install --no-install-recommends ovmf",
    )


def _check_room(folder: Path, source: Path) -> None:
    needs, free = source.stat().st_blocks * 512 + _SPARE, shutil.disk_usage(folder).free
    if free < needs:
        raise CoreopsError(
            "there is no room for the machine's disk",
            where=folder,
            why=f"it needs {needs >> 20} MiB to begin with, and {free >> 20} MiB are free",
            next="free some space, or name another folder with COREOPS_QEMU_STATE, and run the same command again",
        )
