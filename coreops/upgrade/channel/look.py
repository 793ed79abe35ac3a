"""What a usr image says of itself: version and board, where they are cheap to read (a squashfs, with unsquashfs)."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from coreops.errors import InputError

_SQUASHFS = b"hsqs"
_RELEASE = "lib/os-release"
_BOARD_FILES = ("share/flatcar/release", "share/coreos/release")
_BOARD_KEYS = ("FLATCAR_RELEASE_BOARD", "COREOS_RELEASE_BOARD")
_PATIENCE = 60.0


def check(image: Path, version: str, board: str) -> tuple[str, ...]:
    """What could not be checked, one sentence each. Raises InputError when the image says something else."""
    said = _said(image)
    if isinstance(said, str):
        return (f"version and board of the image were not checked: {said}",)
    claims = {
        "version": (said.get("VERSION_ID", ""), version),
        "board": (next((said[key] for key in _BOARD_KEYS if said.get(key)), ""), board),
    }
    for word, (inside, wanted) in claims.items():
        if inside and inside != wanted:
            raise InputError(
                f"the image's {word} is {inside}, not {wanted}",
                where=image,
                next=f"pass --{word} {inside}, or another image",
            )
    return tuple(f"the image does not say its {word}" for word, (inside, _) in claims.items() if not inside)


def _said(image: Path) -> dict[str, str] | str:
    """The variables of the image's release files, or why there are none."""
    try:
        with image.open("rb") as stream:
            magic = stream.read(len(_SQUASHFS))
    except OSError as error:
        raise InputError("the image cannot be read", where=image, why=error.strerror) from error
    if magic != _SQUASHFS:
        return "it is not a squashfs"
    program = shutil.which("unsquashfs")
    if program is None:
        return "unsquashfs is not installed"
    found: dict[str, str] = {}
    for path in (_RELEASE, *_BOARD_FILES):
        found |= _variables(_cat(program, image, path))
    return found or f"it has no {_RELEASE}"


def _cat(program: str, image: Path, path: str) -> str:
    try:
        done = subprocess.run(
            [program, "-no-progress", "-cat", str(image.absolute()), path],
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, "LC_ALL": "C"},
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout if done.returncode == 0 else ""


def _variables(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            try:
                words = shlex.split(value)
            except ValueError:
                continue  # not what os-release(5) allows; then it says nothing
            found[key] = words[0] if words else ""
    return found
