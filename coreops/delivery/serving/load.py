"""Reads a folder that ``coreops render -o`` wrote, as a whole: what was read is of one render. The only reader here."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from coreops.cloudconfig.render import INDEX
from coreops.delivery.serving.site import TARGET_PAGES, Content
from coreops.errors import InputError

BIGGEST: Final = 64 << 20
_ZIPPED: Final = b"\x1f\x8b"
_AGAIN: Final = 5.0
"""Seconds: for so long, a render that is replaced while it is read is read again."""
_GAP: Final = 0.05
"""Seconds: where folders cannot be exchanged in one step, there is none for a moment."""

Mark = tuple[tuple[int, int, int], ...]


def mark(folder: Path) -> Mark | None:
    """Something that is another one after the folder was replaced; None when there is none right now."""
    try:
        found = [os.stat(folder), os.stat(folder / INDEX)]
    except OSError:
        return None
    return tuple((each.st_ino, each.st_mtime_ns, each.st_size) for each in found)


def load(folder: Path) -> tuple[str, dict[str, Content]]:
    """Return a render's target and contents. Raises InputError."""
    until = time.monotonic() + _AGAIN
    while True:
        before = mark(folder)
        try:
            return _load(folder)
        except InputError:
            if before is None:
                time.sleep(_GAP)
            if mark(folder) == before or time.monotonic() > until:
                raise


def _load(folder: Path) -> tuple[str, dict[str, Content]]:
    try:
        # Held open, it stays the same folder, whatever takes its name.
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _no_render(folder, error.strerror) from None
    try:
        index = _index(folder, _read(handle, INDEX, folder))
        target, nodes = index["target"], index["nodes"]
        if target not in TARGET_PAGES:
            raise InputError(
                f"machines do not read {target}",
                where=folder,
                next=f"coreops render --target {' or '.join(TARGET_PAGES)} -o {folder}",
            )
        return target, {node: _content(handle, folder, node, each) for node, each in nodes.items()}
    finally:
        os.close(handle)


def _index(folder: Path, data: bytes) -> dict[str, Any]:
    try:
        index = json.loads(data)
        if index["format"] != 1:
            raise InputError(
                f"format {index['format']} of a render is not known here", where=folder, next="update coreops"
            )
        rows = [(each["file"], each["sha256"], each.get("secrets") or []) for each in index["nodes"].values()]
        good = all(isinstance(name, str) and isinstance(digest, str) for name, digest, _ in rows)
        good &= isinstance(index["target"], str)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        good = False
    if not good:
        raise _no_render(folder, f"{INDEX} is not that of a render")
    return dict(index)


def _content(handle: int, folder: Path, node: str, each: Mapping[str, Any]) -> Content:
    name = each["file"]
    data = _read(handle, name, folder)
    if hashlib.sha256(data).hexdigest() != each["sha256"]:
        raise InputError(
            "this file is not what was rendered",
            where=folder / name,
            why=f"its SHA-256 is not the one in {INDEX}",
            next="render again; what machines get is changed in the inventory, not here",
        )
    plain = _unzipped(data, folder / name)
    return Content(node, plain, hashlib.sha256(plain).hexdigest(), bool(each.get("secrets")))


def _read(handle: int, name: str, folder: Path) -> bytes:
    if "/" in name or name in ("", ".", "..") or "\0" in name:
        raise InputError(f"{INDEX} names a file outside of the folder", where=folder, why=repr(name))
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=handle)
        with open(file, "rb") as stream:
            info = os.fstat(file)
            if not stat.S_ISREG(info.st_mode) or info.st_size > BIGGEST:
                raise InputError(f"not a file of at most {BIGGEST >> 20} MiB", where=folder / name)
            return stream.read(BIGGEST)
    except OSError as error:
        if name == INDEX:
            raise _no_render(folder, f"{INDEX}: {error.strerror}") from None
        raise InputError("cannot read the file", where=folder / name, why=error.strerror) from None


def _unzipped(data: bytes, where: Path) -> bytes:
    """Compressed for a platform's limit; over HTTP there is none, and not every reader unpacks."""
    if not data.startswith(_ZIPPED):
        return data
    import io
    import zlib

    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            plain = stream.read(BIGGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError("this file does not unpack", where=where, why=str(error)) from None
    if len(plain) > BIGGEST:
        raise InputError(f"unpacked, it is larger than {BIGGEST >> 20} MiB", where=where)
    return plain


def _no_render(folder: Path, why: str | None) -> InputError:
    return InputError("there is no render here", where=folder, why=why, next=f"coreops render -i INVENTORY -o {folder}")
