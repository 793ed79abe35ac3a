"""Arguments for QEMU, one a line and quoted for a shell: Ignition in fw_cfg, cloud-init's seed in SMBIOS.

The files are named without a folder: QEMU is to be started in theirs.
"""

from __future__ import annotations

from typing import Final

from coreops.delivery.cmdline import arguments
from coreops.delivery.request import PackedFile, Request
from coreops.delivery.seed import served
from coreops.shell.quote import q

# Flatcar's Ignition reads the first, that of Fedora CoreOS and Container Linux the second.
_NAMES: Final = ("opt/org.flatcar-linux/config", "opt/com.coreos/config")


def pack(request: Request) -> tuple[PackedFile, ...]:
    """Return NODE.qemu and the files that it names, or that are to be served. Raises InputError."""
    if request.target == "ignition":
        file = request.user_data()
        words = [("-fw_cfg", f"name={name},file={option(file.name)}") for name in _NAMES]
        return request.file(".qemu", _lines(words)), file
    url, files = served(request)
    serial = " ".join(arguments(request.target, url))
    return request.file(".qemu", _lines([("-smbios", f"type=1,serial={option(serial)}")])), *files


def option(value: str) -> str:
    """A value in an option of QEMU, where a comma ends it and two are one."""
    return value.replace(",", ",,")


def _lines(words: list[tuple[str, str]]) -> str:
    return "".join(f"{q(word)}\n" for pair in words for word in pair)
