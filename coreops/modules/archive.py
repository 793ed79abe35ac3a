"""What is in an archive of the controller: its format and the files that unpacking it makes. Reads, never unpacks."""

from __future__ import annotations

import posixpath
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from coreops.model import Blob
from coreops.once import found_once

_MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"BZh", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One path that unpacking makes. kind: file, folder, link. size and time of a file, target of a link."""

    path: str
    kind: str
    size: int = 0
    time: int = 0
    target: str = ""


@dataclass(frozen=True, slots=True)
class Archive:
    """entries None: this format cannot be read here (zstd), only on the node."""

    format: str
    entries: tuple[Entry, ...] | None
    blob: Blob


def read_archive(path: Path) -> Archive:
    """Raises OSError; ValueError for a damaged archive or one with a member that would land outside."""
    stat = path.stat()
    return _read(path, stat.st_mtime_ns, stat.st_size)


@found_once(maxsize=32)
def _read(path: Path, mtime: int, size: int) -> Archive:
    """Once per content, not once per host."""
    with path.open("rb") as stream:
        head = stream.read(8)
    kind = next((name for magic, name in _MAGIC if head.startswith(magic)), "tar")
    try:
        if kind == "zip":
            entries = _zip(path)
        elif kind == "zstd":
            return Archive(kind, None, Blob.from_file(path))
        else:
            entries = _tar(path)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, ValueError) as error:
        raise ValueError(f"not a tar or zip archive that can be read: {error}") from None
    for entry in entries:
        parts = entry.path.split("/")
        if entry.path.startswith("/") or ".." in parts:
            raise ValueError(f"its member {entry.path!r} would land outside of dest")
    return Archive(kind, entries, Blob.from_file(path))


def _tar(path: Path) -> tuple[Entry, ...]:
    entries: dict[str, Entry] = {}
    # As a stream: going from member to member by seeking unpacks in the smallest of steps.
    with tarfile.open(path, "r|*", bufsize=1 << 16) as archive:
        for member in archive:
            name = posixpath.normpath(member.name) if not member.name.startswith("/") else member.name
            if name == ".":
                continue
            if member.isdir():
                entries[name] = Entry(name, "folder")
            elif member.issym():
                entries[name] = Entry(name, "link", target=member.linkname)
            elif member.isreg():
                entries[name] = Entry(name, "file", member.size, int(member.mtime))
            elif member.islnk():
                entries[name] = Entry(name, "hard")
    return tuple(entries.values())


def _zip(path: Path) -> tuple[Entry, ...]:
    with zipfile.ZipFile(path) as archive:
        return tuple(
            Entry(posixpath.normpath(info.filename), "folder" if info.is_dir() else "file", info.file_size)
            for info in archive.infolist()
        )


def strip(entries: tuple[Entry, ...], components: int) -> tuple[Entry, ...]:
    """As tar's --strip-components."""
    out = []
    for entry in entries:
        parts = entry.path.split("/")[components:]
        if parts:
            out.append(Entry("/".join(parts), entry.kind, entry.size, entry.time, entry.target))
    return tuple(out)
