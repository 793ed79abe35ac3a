"""What Ignition puts on a machine, as neutral data: the targets ``ignition`` and ``butane`` are two spellings of it.

``lower`` makes it of a Node. Field names are Butane's, which are Ignition's with ``_``. Knows no text format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from coreops.cloudconfig.loss import Loss


@dataclass(frozen=True, slots=True)
class File:
    """A file. gzip: the data is compressed, and is unpacked on the machine. user, group: a name or a number."""

    path: str
    data: bytes
    gzip: bool = False
    mode: int = 0o644
    user: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link."""

    path: str
    target: str


@dataclass(frozen=True, slots=True)
class UnitFile:
    """A unit of systemd. enabled None: as the vendor has it."""

    name: str
    enabled: bool | None = None
    mask: bool = False
    contents: str | None = None
    dropins: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Lowered:
    """All of it. users, disks and filesystems: plain data, in the spec's keys."""

    files: tuple[File, ...]
    links: tuple[Link, ...]
    units: tuple[UnitFile, ...]
    users: tuple[Mapping[str, Any], ...]
    disks: tuple[Mapping[str, Any], ...]
    filesystems: tuple[Mapping[str, Any], ...]
    losses: tuple[Loss, ...]


def sections(
    lowered: Lowered, contents: Callable[[File], dict[str, Any]], mode: Callable[[int], int]
) -> dict[str, dict[str, Any]]:
    """The sections in the order of the spec, and their keys too; what is empty is left out."""
    found: dict[str, dict[str, Any]] = {
        "storage": {
            "disks": list(lowered.disks),
            "filesystems": list(lowered.filesystems),
            "files": [_file(each, contents(each), mode(each.mode)) for each in lowered.files],
            "links": [{"path": each.path, "overwrite": True, "target": each.target} for each in lowered.links],
        },
        "systemd": {"units": [_unit(each) for each in lowered.units]},
        "passwd": {"users": list(lowered.users)},
    }
    full = {name: {key: value for key, value in each.items() if value} for name, each in found.items()}
    return {name: each for name, each in full.items() if each}


def _file(one: File, contents: dict[str, Any], mode: int) -> dict[str, Any]:
    # coreos-cloudinit replaced files too; and without overwrite, one that is there already fails the boot.
    said: dict[str, Any] = {"path": one.path, "overwrite": True, "contents": contents, "mode": mode}
    said |= {key: _owner(value) for key, value in (("user", one.user), ("group", one.group)) if value is not None}
    return said


def _owner(text: str) -> dict[str, Any]:
    return {"id": int(text)} if text.isascii() and text.isdigit() else {"name": text}


def _unit(one: UnitFile) -> dict[str, Any]:
    said = {
        "name": one.name,
        "enabled": one.enabled,
        "mask": one.mask or None,
        "contents": one.contents,
        "dropins": [{"name": name, "contents": contents} for name, contents in one.dropins] or None,
    }
    return {key: value for key, value in said.items() if value is not None}
