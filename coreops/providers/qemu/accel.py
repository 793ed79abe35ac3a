"""Does KVM work here? Found out by booting, since ``/dev/kvm`` may open on machines where no guest ever runs.

The guest is one sector that the BIOS loads and that ends QEMU through a device made for that. What was found out holds
until this machine boots again.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from coreops.errors import CoreopsError
from coreops.events import Emit, Notice
from coreops.providers.namespace.host import locked_folder, write_atomically
from coreops.providers.qemu.argv import PROGRAM, board

KVM: Final = "kvm"
TCG: Final = "tcg,thread=multi"
DEVICE: Final = Path("/dev/kvm")
_PORT, _SAID = 0xF4, 0x10
_DONE: Final = _SAID << 1 | 1
"""What isa-debug-exit makes of the byte that it is told."""
_LONGEST: Final = 5.0


def sector() -> bytes:
    """A boot sector: ``mov al, 0x10; out 0xf4, al; hlt; jmp $-1``."""
    code = bytes([0xB0, _SAID, 0xE6, _PORT, 0xF4, 0xEB, 0xFD])
    return code.ljust(510, b"\0") + b"\x55\xaa"


def choose(cache: Path, emit: Emit, device: Path = DEVICE) -> str:
    """Return what machines are to be started with; say so once, when it is the slow one.

    cache: the file that remembers it, in a folder that is locked meanwhile.
    """
    now = {"boot": _boot_id(), "kvm": os.access(device, os.R_OK | os.W_OK)}
    why = _known(cache, now)
    if why is None:
        with locked_folder(cache.parent):
            why = _known(cache, now)
            if why is None:
                why = (tried(KVM) or "") if now["kvm"] else f"{device} cannot be opened"
                write_atomically(cache, json.dumps({**now, "why": why}) + "\n")
                if why:
                    emit(Notice(f"without KVM ({why}): machines are emulated, which is some ten times slower"))
    return TCG if why else KVM


def tried(accel: str, longest: float = _LONGEST) -> str | None:
    """Boot the sector; return why it did not work, or None."""
    with tempfile.TemporaryDirectory(prefix="coreops-accel.") as aside:
        disk = Path(aside, "sector.img")
        disk.write_bytes(sector())
        # the board that machines will have: KVM may run one processor and refuse another
        words = [PROGRAM, "-nodefaults", "-no-user-config", *board(accel), "-m", "16"]
        words += ["-display", "none", "-device", f"isa-debug-exit,iobase={_PORT:#x},iosize=1"]
        words += ["-drive", f"if=floppy,format=raw,readonly=on,file={disk}"]
        try:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=longest
            )
        except subprocess.TimeoutExpired:
            return f"a guest that does nothing was not done within {longest:g} s"
        except OSError as error:
            raise CoreopsError(f"{PROGRAM} cannot be run", why=error.strerror) from None
    if done.returncode == _DONE:
        return None
    return " ".join(done.stderr.split())[:200] or f"QEMU ended with status {done.returncode}"


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _known(cache: Path, now: dict[str, object]) -> str | None:
    """Why KVM does not work, "" when it does; None: nobody knows."""
    try:
        found = json.loads(cache.read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or any(found.get(key) != value for key, value in now.items()):
        return None
    why = found.get("why")
    return why if isinstance(why, str) else None
