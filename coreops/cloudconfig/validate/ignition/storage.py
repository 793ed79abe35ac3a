"""Rules on files, directories and links, and on lists in which a thing may stand once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import normpath
from typing import Final

from coreops.cloudconfig.validate.document import Document, mappings
from coreops.cloudconfig.validate.finding import Finding
from coreops.cloudconfig.validate.ignition.disks import devices, number
from coreops.cloudconfig.validate.tree import Value
from coreops.model import Position

_NOUNS: Final = {"files": "a file", "directories": "a directory", "links": "a link"}
_ONCE: Final = {
    "disks": "device",
    "filesystems": "device",
    "raid": "name",
    "luks": "name",
    "units": "name",
    "dropins": "name",
    "users": "name",
    "groups": "name",
    "sshAuthorizedKeys": "",
    "devices": "",
    "httpHeaders": "name",
    "certificateAuthorities": "source",
    "merge": "source",
    "tang": "url",
    "noProxy": "",
}
"""Lists in which a thing may stand once, and what tells it from the others; nothing: its text."""


def nodes(document: Document) -> Iterator[tuple[str, Value]]:
    """Files, directories and links, each with the name of its list."""
    for kind in _NOUNS:
        yield from ((kind, node) for node in mappings(document.root.get("storage", kind)))


def paths(document: Document) -> Iterator[Finding]:
    """Paths that are not absolute, or not the shortest way to say it."""
    found = [node.get("path") for _, node in nodes(document)]
    for name in ("disks", "filesystems", "luks"):
        found += [each.get("device") for each in devices(document, name)]
    for raid in devices(document, "raid"):
        found += (raid.get("devices") or raid).items
    for filesystem in devices(document, "filesystems"):
        path = filesystem.get("path")
        found += [path] if path and path.text else []
    for value in found:
        if value is None or value.kind in ("mapping", "list", "null"):
            continue
        if not value.text:
            yield Finding(value.at, "error", "an empty path")
        elif not value.text.startswith("/"):
            yield Finding(value.at, "error", f"{value.text[:60]!r} is not absolute")
        elif (clean := "/" + normpath(value.text).lstrip("/")) != value.text:
            yield Finding(value.at, "error", f"{value.text[:60]!r} is not the plain path", next=f"write {clean[:60]}")


def read_only(document: Document) -> Iterator[Finding]:
    """What is written below /usr, which is read-only."""
    for _, node in nodes(document):
        path = node.get("path")
        if path and (normpath(path.text) + "/").startswith("/usr/"):
            why = f"{path.text[:60]} is below /usr"
            yield Finding(
                path.at, "error", "file cannot be written to a read-only filesystem", why, "write to /etc or /opt"
            )


def duplicate_paths(document: Document) -> Iterator[Finding]:
    """Two things that write the same path, and paths that lead through a link of this document."""
    first: dict[str, tuple[Position, str]] = {}
    for unit in document.units():
        folder = f"/etc/systemd/system/{unit.texts('name')}"
        if unit.texts("contents"):
            first.setdefault(folder, (unit.at, "a unit"))
        for drop_in in document.drop_ins(unit):
            if drop_in.texts("contents"):
                first.setdefault(f"{folder}.d/{drop_in.texts('name')}", (drop_in.at, "a drop-in"))
    links = {node.texts("path"): node for kind, node in nodes(document) if kind == "links"}
    folders = {node.texts("path") for kind, node in nodes(document) if kind == "directories"}
    for kind, node in nodes(document):
        path = node.get("path")
        if not path or not path.text:
            continue
        text = path.text
        if text in first:
            at, what = first[text]
            why = f"also by {what} on line {at.line}"
            yield Finding(path.at, "error", f"{text} is written twice", why, "keep one of them")
        else:
            first[text] = (path.at, _NOUNS[kind])
        above = next((text[:end] for end in _slashes(text) if text[:end] in links), None)
        if above is not None:
            yield Finding(path.at, "error", f"{text} leads through the link {above}", next="write where it leads to")
        if kind == "links" and node.true("hard") and node.texts("target") in folders:
            yield Finding(node.at, "error", f"the hard link {text} leads to a directory")


def _slashes(path: str) -> Iterator[int]:
    return (match.start() for match in re.finditer("/", path) if match.start())


def files(document: Document) -> Iterator[Finding]:
    """Owners that are said twice, overwrite without contents, links to nowhere."""
    for kind, node in nodes(document):
        for who in ("user", "group"):
            name = node.get(who, "name")
            if name and name.text and node.get(who, "id"):
                yield Finding(name.at, "error", f"both id and name of a {who}", next="keep one of them")
        contents = node.get("contents")
        held = contents and any(contents.get(way) for way in ("source", "inline", "local"))
        overwrite = node.get("overwrite")
        if kind == "files" and overwrite and node.true("overwrite") and not held:
            yield Finding(overwrite.at, "error", "overwrite without contents", "it does not say with what")
        target = node.get("target")
        if kind == "links" and target and target.kind == "text" and not target.text:
            yield Finding(target.at, "error", "a link to nowhere")


def modes(document: Document) -> Iterator[Finding]:
    """Modes that are none, and those that look like octal digits and are read as decimal ones."""
    for kind, node in nodes(document):
        mode = node.get("mode")
        if not mode or mode.kind != "int":
            continue
        value = number(mode.text)
        if not 0 <= value <= 0o7777:
            yield Finding(mode.at, "error", f"{mode.text[:20]} is no mode", "it must lie between 0 and 0o7777")
            continue
        octal = int(mode.text, 8) if re.fullmatch("[1-7][0-7]{2,3}", mode.text) else None
        if octal is not None and _usual(octal) and not _usual(value):
            hint = (
                f"write 0{mode.text}" if document.target.name == "butane" else f"write {octal}, which is 0{mode.text}"
            )
            why = f"it is decimal: {_NOUNS[kind]} would get 0{value:o}"
            yield Finding(mode.at, "error", f"mode {mode.text} was meant to be octal", why, hint)
        elif value & 0o7000 and document.version < "3.4":
            why = "setuid, setgid and sticky bits are there from 3.4.0 on"
            yield Finding(mode.at, "warning", f"mode 0{value:o} loses its first digit", why)


def _usual(mode: int) -> bool:
    """What people give files: the owner reads, and nobody may do more than who stands before."""
    user, group, other = mode >> 6 & 7, mode >> 3 & 7, mode & 7
    return (
        mode <= 0o777
        and user & 4 != 0
        and group & ~user == 0
        and other & ~group == 0
        and {group, other} <= {0, 4, 5, 6, 7}
    )


def once(document: Document) -> Iterator[Finding]:
    """Things that stand twice in a list."""
    pending = [document.root]
    while pending:
        value = pending.pop()
        for entry in value.entries:
            pending.append(entry.value)
            if entry.name in _ONCE:
                yield from _twice(entry.value.items, _ONCE[entry.name], entry.written)
        pending += value.items
    wanted = document.root.get("kernelArguments", "shouldExist")
    unwanted = document.root.get("kernelArguments", "shouldNotExist")
    items = (*(wanted.items if wanted else ()), *(unwanted.items if unwanted else ()))
    yield from _twice(items, "", "kernel arguments")


def _twice(items: tuple[Value, ...], key: str, where: str) -> Iterator[Finding]:
    first: dict[str, Value] = {}
    for item in items:
        value = item if item.kind == "text" else item.get(key) if key else None
        if value and value.text and (old := first.setdefault(value.text, value)) is not value:
            why = f"the first is on line {old.at.line}"
            yield Finding(value.at, "error", f"{value.text[:60]!r} is twice in {where}", why, "keep one of them")
