"""The programs that read what is delivered, run for real: cloud-init's own code, QEMU and the iPXE in its network card.

A test that asks for one that is missing is skipped with the reason.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.cloudconfig.real.programs import cloud_init

_READER = Path(__file__).with_name("reader.py")
_FW_CFG_SELECT, _FW_CFG_DATA, _FW_CFG_DIRECTORY = 0x510, 0x511, 0x19


def ask_cloud_init(folder: Path, *words: str) -> Any:
    """What cloud-init reads, by one of the commands of reader.py."""
    program = cloud_init()
    done = subprocess.run(
        [program.python, str(_READER), *words],
        env=program.env,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def need(name: str, package: str) -> str:
    """A program, or the test is skipped."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name} (apt-get install {package})")
    return found


class Firmware:
    """What QEMU's firmware interface holds for a guest: QEMU is started and asked, and runs no guest."""

    def __init__(self, words: list[str], folder: Path) -> None:
        qemu = need("qemu-system-x86_64", "qemu-system-x86")
        still = ["-accel", "tcg", "-S", "-qtest", "stdio", "-qtest-log", "/dev/null", "-display", "none", "-nodefaults"]
        self._process = subprocess.Popen(
            [qemu, *still, *words],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._watch = threading.Timer(60, self._process.kill)
        self._watch.start()

    def files(self) -> dict[str, bytes]:
        """Every file by its name; ends QEMU."""
        try:
            self._do(f"outw {_FW_CFG_SELECT} {_FW_CFG_DIRECTORY}")
            entries = [self._bytes(64) for _ in range(int.from_bytes(self._bytes(4), "big"))]
            return {entry[8:].rstrip(b"\0").decode(): self._file(entry) for entry in entries}
        finally:
            self._watch.cancel()
            self._process.kill()
            self._process.communicate()

    def _file(self, entry: bytes) -> bytes:
        self._do(f"outw {_FW_CFG_SELECT} {int.from_bytes(entry[4:6], 'big')}")
        return self._bytes(min(int.from_bytes(entry[:4], "big"), 4096))

    def _bytes(self, count: int) -> bytes:
        return bytes(int(self._do(f"inb {_FW_CFG_DATA}"), 16) for _ in range(count))

    def _do(self, command: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # what QEMU said is read below
        for line in self._process.stdout:
            if line.startswith("OK"):
                return line[2:].strip()
        raise AssertionError(self._process.communicate()[1])


# A kernel for iPXE to boot: setup code of the boot protocol 2.1 that copies its command line to QEMU's debug port and
# turns the machine off (mov si,[0x22]; lodsb; test al,al; jz; out 0xe9,al; jmp; mov dx,0x501; out dx,al; hlt).
_CODE = bytes.fromhex("8b362200 ac 84c0 7404 e6e9 ebf7 ba0105 b000 ee f4 ebfd")


def kernel() -> bytes:
    """The bytes of it."""
    image = bytearray(3 * 512)
    image[0x1F1] = 1  # sectors of setup code after the first
    image[0x1FE:0x200] = b"\x55\xaa"
    image[0x200:0x208] = b"\xeb\x66HdrS\x01\x02"  # jump over the header
    image[0x211] = 1  # the rest is loaded high
    image[0x268 : 0x268 + len(_CODE)] = _CODE
    return bytes(image)


def boot(folder: Path, script: str) -> str:
    """The kernel arguments with which a machine comes up that netboots ``script`` from ``folder``."""
    qemu = need("qemu-system-x86_64", "qemu-system-x86")
    if not any(Path(rom, "pxe-e1000.rom").exists() for rom in ("/usr/lib/ipxe/qemu", "/usr/share/qemu")):
        pytest.skip("there is no iPXE for QEMU (apt-get install ipxe-qemu)")
    (folder / "boot.ipxe").write_text(script)
    (folder / "vmlinuz").write_bytes(kernel())
    out = folder / "said"
    words = ["-accel", "tcg", "-m", "64", "-display", "none", "-nodefaults", "-boot", "n", "-debugcon", f"file:{out}"]
    words += ["-device", "isa-debug-exit,iobase=0x501,iosize=1"]
    words += ["-nic", f"user,restrict=on,model=e1000,tftp={folder},bootfile=boot.ipxe"]
    subprocess.run([qemu, *words], timeout=120, capture_output=True)
    said = out.read_text()
    # SeaBIOS writes its log to the same port before.
    return said.rpartition("\n")[2]
