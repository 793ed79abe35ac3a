"""A drive with the user-data: ``config-2`` for coreos-cloudinit, ``cidata`` (NoCloud) for cloud-init.

Made by the system's ISO 9660 tool. The same user-data is the same bytes, at any time and in any folder.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coreops.delivery.request import PackedFile, Request
from coreops.errors import CoreopsError, InputError

LABELS: Final = {"coreos": "config-2", "cloud-init": "cidata"}
_LONGEST: Final = 120
_SECTOR: Final = 2048
_FIRST_DESCRIPTOR: Final = 16 * _SECTOR
_PRIMARY, _SUPPLEMENTARY, _END = 1, 2, 255
_DATES: Final = slice(813, 881)
"""The four dates of a volume descriptor: made, changed, expires, effective (ECMA-119, 8.4.26 to 8.4.29)."""
_NO_DATE: Final = (b"0" * 16 + b"\0") * 4


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that makes ISO images, with its arguments before those that all of them know."""

    name: str
    arguments: tuple[str, ...] = ()


# genisoimage and mkisofs write the time of the call into Rock Ridge's entries: Joliet alone keeps the names as well.
TOOLS: Final = (Tool("xorrisofs", ("-rational-rock",)), Tool("genisoimage"), Tool("mkisofs"))


def pack(request: Request) -> tuple[PackedFile, ...]:
    """Return the image. Raises InputError when no tool is installed."""
    return (request.file(".iso", image(LABELS[request.target], _tree(request), _tool())),)


def _tree(request: Request) -> dict[str, bytes]:
    if request.target == "cloud-init":
        return {"user-data": request.data, "meta-data": request.nocloud()}
    more = {key: value for key, value in request.metadata.items() if key != "hostname"}
    meta = json.dumps({"hostname": request.hostname} | ({"meta": more} if more else {}), indent=2) + "\n"
    return {"openstack/latest/user_data": request.data, "openstack/latest/meta_data.json": meta.encode()}


def _tool() -> Tool:
    found = next((tool for tool in TOOLS if shutil.which(tool.name)), None)
    if found is None:
        raise InputError(
            "no program that makes ISO images is installed",
            why=f"looked for {', '.join(tool.name for tool in TOOLS)}",
            next="install xorriso (the package has that name on Debian, Fedora, Arch and Homebrew)",
        )
    return found


def image(label: str, tree: Mapping[str, bytes], tool: Tool) -> bytes:
    """Return an image of files by path. Raises CoreopsError when the tool fails."""
    with tempfile.TemporaryDirectory(prefix="coreops-iso.") as aside:
        root, out = Path(aside, "root"), Path(aside, "out.iso")
        for path, data in tree.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        for each in (root, *root.rglob("*")):
            each.chmod(0o755 if each.is_dir() else 0o644)
            os.utime(each, (0, 0))
        words = [
            tool.name,
            *tool.arguments,
            "-quiet",
            "-joliet",
            "-no-pad",
            "-volid",
            label,
            "-output",
            str(out),
            str(root),
        ]
        _run(words)
        if not out.exists():
            raise CoreopsError(f"{tool.name} made no image", why="it said that it did")
        return _timeless(out.read_bytes())


def _run(words: list[str]) -> None:
    environment = os.environ | {"SOURCE_DATE_EPOCH": "0", "TZ": "UTC", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_LONGEST
        )
    except subprocess.TimeoutExpired:
        raise CoreopsError(f"{words[0]} did not end within {_LONGEST} seconds") from None
    except OSError as error:
        raise CoreopsError(f"{words[0]} cannot be run", why=error.strerror) from None
    if done.returncode:
        raise CoreopsError(f"{words[0]} could not make the image", why=done.stderr.strip() or f"exit {done.returncode}")


def _timeless(image: bytes) -> bytes:
    """The image without the dates of the call, which not every tool lets one set."""
    out = bytearray(image)
    for at in range(_FIRST_DESCRIPTOR, len(out) - _SECTOR, _SECTOR):
        if out[at] == _END:
            break
        if out[at] in (_PRIMARY, _SUPPLEMENTARY):
            out[at + _DATES.start : at + _DATES.stop] = _NO_DATE
    return bytes(out)
