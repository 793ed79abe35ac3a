"""A firmware of a few bytes that says a word on the serial port and sleeps: real QEMU, without a system in it.

It takes no processor time, does not know the power button, and is there at once.
"""

from __future__ import annotations

from pathlib import Path

WORD = b"tiny firmware\r\n"
SLEEPS, RESETS = bytes([0xF4, 0xEB, 0xFD]), bytes([0xB0, 0x06, 0xBA, 0xF9, 0x0C, 0xEE, 0xF4])
"""How the program ends: hlt; jmp. Or: mov al, 6; mov dx, 0xcf9; out dx, al; hlt."""
_SIZE = 64 * 1024


def code(ends: bytes = SLEEPS) -> bytes:
    """A flash whose last 16 bytes are where an x86 processor begins."""
    said = b"".join(bytes([0xB0, byte, 0xEE]) for byte in WORD)  # mov al, byte; out dx, al
    program = bytes([0xFA, 0xBA, 0xF8, 0x03]) + said + ends  # cli; mov dx, 0x3f8; ...
    start = 0xF000
    jump = bytes([0xE9]) + ((start - 0xFFF3) & 0xFFFF).to_bytes(2, "little")
    return bytes(start) + program.ljust(0xFFF0 - start, b"\xf4") + jump.ljust(16, b"\xf4")


def install(folder: Path, ends: bytes = SLEEPS) -> tuple[Path, Path]:
    """Write (code, variables) into a folder."""
    files = folder / "code.fd", folder / "variables.fd"
    files[0].write_bytes(code(ends))
    files[1].write_bytes(bytes(_SIZE))
    return files
