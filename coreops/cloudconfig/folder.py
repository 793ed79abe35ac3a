"""A render in a folder: written whole or not at all, compared with the last one. The only writer here.

User-data holds password hashes: files are 0600. A folder that holds anything else is never replaced.
"""

from __future__ import annotations

import difflib
import gzip
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from coreops.cloudconfig.render import INDEX
from coreops.errors import InputError

_ZIPPED = b"\x1f\x8b"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
"""Of <fcntl.h> and <stdio.h> on Linux."""


def last(folder: Path) -> dict[str, bytes]:
    """Return the files of the last render in ``folder``, {} when there is none. Raises InputError if not a render."""
    if not folder.exists() and not folder.is_symlink():
        return {}
    if not folder.is_dir() or folder.is_symlink():
        raise InputError("not a folder", where=folder, next="give -o a folder, or a name that is free")
    found = sorted(folder.iterdir())
    if not found:
        return {}
    try:
        nodes = json.loads((folder / INDEX).read_bytes())["nodes"]
        own = {INDEX}.union(*([each["file"], *each.get("packed", [])] for each in nodes.values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError(
            f"it is not a render: there is no {INDEX} of one in it", where=folder, next="name an empty folder"
        ) from None
    if strange := [path.name for path in found if path.name not in own or not path.is_file()]:
        raise InputError(
            f"it holds what no render wrote: {', '.join(strange[:5])}",
            where=folder,
            why="the whole folder is replaced",
            next="move that elsewhere, or name another folder",
        )
    return {path.name: path.read_bytes() for path in found}


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Replace the folder by these files: a reader sees the old render or the new one. Raises InputError."""
    last(folder)
    try:
        _replace(folder.absolute(), files)
    except OSError as error:
        raise InputError(
            "the render cannot be written; what was there before is as it was", where=folder, why=error.strerror
        ) from None


def _replace(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name[:100]}.") as aside:
        new = Path(aside, "new")
        new.mkdir()
        for name, data in files.items():
            _write(new / name, data)
        if not folder.exists():
            os.rename(new, folder)
            return
        if _exchange(new, folder):
            return
        os.rename(folder, Path(aside, "old"))
        try:
            os.rename(new, folder)
        except BaseException:
            os.rename(Path(aside, "old"), folder)
            raise


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step (renameat2(2)), so that the name is never free; False where that is not known."""
    import ctypes

    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return bool(renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)


def _write(path: Path, data: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(data)


def diff(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the lines of a unified diff between two renders, the index left out. Compressed files are unpacked."""
    for name in sorted({*old, *new} - {INDEX}):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        names = (
            f"last/{name}" if before is not None else "/dev/null",
            f"new/{name}" if after is not None else "/dev/null",
        )
        old_text, new_text = _text(before), _text(after)
        if old_text is None or new_text is None:
            yield f"{names[0]} {names[1]}: binary files differ"
        else:
            yield from difflib.unified_diff(old_text, new_text, *names, lineterm="")


def _text(data: bytes | None) -> list[str] | None:
    """The lines of a file, unpacked; None for one that is not text."""
    plain = gzip.decompress(data) if data and data.startswith(_ZIPPED) else data or b""
    return None if b"\0" in plain else plain.decode(errors="replace").splitlines()


def copy_templates(source: Path, folder: Path) -> list[Path]:
    """Copy templates to a folder that has none of them yet, for the operator to change. Raises InputError."""
    names = sorted(path.relative_to(source) for path in source.rglob("*.yml"))
    if there := [str(name) for name in names if (folder / name).exists()]:
        raise InputError(f"{', '.join(there)} is there already", where=folder, next="name another folder")
    try:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, folder / name)
    except OSError as error:
        raise InputError("the templates cannot be copied", where=folder, why=error.strerror) from None
    return [folder / name for name in names]
