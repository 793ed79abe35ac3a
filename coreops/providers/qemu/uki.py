"""Makes one EFI program of a kernel and its initramfs: systemd's stub with more sections. Pure; knows PE headers.

One file, because a release's kernel is one file, and a kernel is no use without the modules in its initramfs. The
command line is not in it: the loader entry has that, it is different for each slot.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from coreops.errors import CoreopsError

_SECTION = struct.Struct("<8sIIIIIIHHI")
_READ_ONLY_DATA = 0x40000040
_PAGE = 4096


def add_sections(stub: bytes, sections: Mapping[str, bytes]) -> bytes:
    """Return the program with more sections, behind those it has."""
    out = bytearray(stub)
    header = _uint32(out, 0x3C) + 4
    if out[header - 4 : header] != b"PE\0\0":
        raise CoreopsError("the EFI stub is no PE program", next="check the package systemd-boot-efi")
    count, options = struct.unpack_from("<H", out, header + 2)[0], header + 20
    table = options + struct.unpack_from("<H", out, header + 16)[0]
    section_alignment, file_alignment = struct.unpack_from("<II", out, options + 32)
    room = _uint32(out, options + 60)
    if table + _SECTION.size * (count + len(sections)) > room:
        raise CoreopsError("the EFI stub has no room for more sections", next="check the package systemd-boot-efi")
    address = _uint32(out, options + 56)
    for name, content in sections.items():
        address = _up(address, max(section_alignment, _PAGE))
        out += bytes(_up(len(out), file_alignment) - len(out))
        raw = _up(len(content), file_alignment)
        entry = (name.encode(), len(content), address, raw, len(out), 0, 0, 0, 0, _READ_ONLY_DATA)
        _SECTION.pack_into(out, table + _SECTION.size * count, *entry)
        out += content + bytes(raw - len(content))
        address += len(content)
        count += 1
    struct.pack_into("<H", out, header + 2, count)
    struct.pack_into("<I", out, options + 56, _up(address, section_alignment))
    return bytes(out)


def build(stub: bytes, *, kernel: bytes, initrd: bytes, os_release: str) -> bytes:
    """Return the program that boots the kernel with the initramfs."""
    return add_sections(stub, {".osrel": os_release.encode(), ".linux": kernel, ".initrd": initrd})


def _uint32(data: bytes | bytearray, at: int) -> int:
    value: int = struct.unpack_from("<I", data, at)[0]
    return value


def _up(number: int, alignment: int) -> int:
    return -(-number // alignment) * alignment
