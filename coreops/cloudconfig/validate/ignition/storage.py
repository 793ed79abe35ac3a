"""Rules on files, directories, links, disks and filesystems, and on lists in which a thing may stand once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from posixpath import normpath
from typing import Final

from coreops.cloudconfig.validate.document import Document, mappings
from coreops.cloudconfig.validate.finding import Finding
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
_LABELS: Final = {"ext4": 16, "btrfs": 256, "xfs": 12, "swap": 15, "vfat": 11}
_LEVELS: Final = ("linear", "raid0", "0", "stripe", "raid1", "1", "mirror", "raid4", "4", "raid5", "5", "raid6", "6")
_ALL_LEVELS: Final = (*_LEVELS, "raid10", "10")
_NO_SPARES: Final = ("linear", "raid0", "0", "stripe")
_GUID = re.compile(r"(|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})")


def nodes(document: Document) -> Iterator[tuple[str, Value]]:
    """Files, directories and links, each with the name of its list."""
    for kind in _NOUNS:
        yield from ((kind, node) for node in mappings(document.root.get("storage", kind)))


def part(document: Document, name: str) -> Iterator[Value]:
    """The mappings of a list below storage."""
    return mappings(document.root.get("storage", name))


def paths(document: Document) -> Iterator[Finding]:
    """Paths that are not absolute, or not the shortest way to say it."""
    found = [node.get("path") for _, node in nodes(document)]
    for name in ("disks", "filesystems", "luks"):
        found += [each.get("device") for each in part(document, name)]
    for raid in part(document, "raid"):
        found += (raid.get("devices") or raid).items
    for filesystem in part(document, "filesystems"):
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
        number = _int(mode.text)
        if not 0 <= number <= 0o7777:
            yield Finding(mode.at, "error", f"{mode.text} is no mode", "it must lie between 0 and 0o7777")
            continue
        octal = int(mode.text, 8) if re.fullmatch("[1-7][0-7]{2,3}", mode.text) else None
        if octal is not None and _usual(octal) and not _usual(number):
            hint = (
                f"write 0{mode.text}" if document.target.name == "butane" else f"write {octal}, which is 0{mode.text}"
            )
            why = f"it is decimal: {_NOUNS[kind]} would get 0{number:o}"
            yield Finding(mode.at, "error", f"mode {mode.text} was meant to be octal", why, hint)
        elif number & 0o7000 and document.version < "3.4":
            why = "setuid, setgid and sticky bits are there from 3.4.0 on"
            yield Finding(mode.at, "warning", f"mode 0{number:o} loses its first digit", why)


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


def _int(text: str) -> int:
    text = text.replace("_", "")
    try:
        return int(text, 0)
    except ValueError:
        return int(text, 8) if re.fullmatch("[+-]?0[0-7]+", text) else -1


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


def partitions(document: Document) -> Iterator[Finding]:
    """Partitions that cannot be told apart, overlap, or are what GPT does not hold."""
    for disk in part(document, "disks"):
        listed = list(mappings(disk.get("partitions")))
        for each in listed:
            yield from _partition(each)
        for key in ("number", "label"):
            first: dict[str, Value] = {}
            for each in listed:
                value = each.get(key)
                if value and value.text not in ("0", "") and first.setdefault(value.text, value) is not value:
                    yield Finding(value.at, "error", f"two partitions with the {key} {value.text[:40]!r}")
        spans = [(span, each) for each in listed if (span := _span(each)) is not None]
        spans.sort(key=lambda pair: pair[0])
        for ((_, end), _one), ((start, _), other) in pairwise(spans):
            if start <= end:
                yield Finding(
                    other.at, "error", "partitions overlap", f"it begins at {start} MiB; one before ends later"
                )
        gone = any((each.get("shouldExist") or disk).text == "false" for each in listed)
        kept = [each for each in listed if not each.get("shouldExist") or each.true("shouldExist")]
        loose = [each for each in kept if "0" in (each.texts("startMiB"), each.texts("sizeMiB"))]
        if gone and loose:
            yield Finding(
                loose[0].at,
                "error",
                "a start or size of 0 beside a partition that should not exist",
                "the free space is not known before",
                "give both in MiB",
            )


def _partition(each: Value) -> Iterator[Finding]:
    label, number = each.get("label"), each.get("number")
    if label is None and (number is None or number.text == "0"):
        yield Finding(each.at, "error", "a partition with neither number nor label")
    if label and label.kind == "text":
        if len(label.text.encode("utf-8", "replace")) > 36:
            yield Finding(label.at, "error", "a partition's label has at most 36 characters")
        if ":" in label.text:
            yield Finding(label.at, "error", "a colon in a partition's label", "it would be cut off there")
    for key in ("guid", "typeGuid"):
        guid = each.get(key)
        if guid and guid.kind == "text" and not _GUID.fullmatch(guid.text):
            yield Finding(
                guid.at, "error", f"{guid.text[:40]!r} is no GUID", next="01234567-89AB-CDEF-EDCB-A98765432101"
            )
    should = each.get("shouldExist")
    if should and should.text == "false":
        more = [key for key in ("label", "typeGuid", "guid", "startMiB", "sizeMiB") if each.get(key)]
        if more:
            yield Finding(should.at, "error", f"a partition that should not exist has {', '.join(more)}")


def _span(each: Value) -> tuple[int, int] | None:
    start, size = each.get("startMiB"), each.get("sizeMiB")
    if not start or not size or start.kind != "int" or size.kind != "int" or _int(start.text) <= 0:
        return None
    return _int(start.text), _int(start.text) + max(_int(size.text), 1) - 1


def filesystems(document: Document) -> Iterator[Finding]:
    """Filesystems without a format, with a label that is too long, on a disk that is partitioned; RAID levels."""
    disks = {disk.texts("device"): disk for disk in part(document, "disks")}
    for each in part(document, "filesystems"):
        form, label = each.texts("format"), each.get("label")
        more = [key for key in ("path", "label", "uuid") if each.texts(key)]
        more += [key for key in ("options", "mountOptions") if (each.get(key) or Value("list", each.at, (0, 0))).items]
        more += ["wipeFilesystem"] if each.true("wipeFilesystem") else []
        if not form and more:
            what = ", ".join(document.target.written(key) for key in more)
            yield Finding(each.at, "error", f"a filesystem without a format has {what}")
        if label and form in _LABELS and len(label.text.encode("utf-8", "replace")) > _LABELS[form]:
            yield Finding(label.at, "error", f"a label of {form} has at most {_LABELS[form]} characters")
        disk = disks.get(each.texts("device"))
        if disk and (disk.get("partitions") or disk).items:
            why = "its partitions would be gone"
            yield Finding(each.at, "warning", f"a filesystem on the whole of {each.texts('device')}", why)
        elif disk and disk.true("wipeTable") and not each.true("wipeFilesystem"):
            yield Finding(each.at, "warning", f"wiping the table of {each.texts('device')} wipes the filesystem too")
        if each.true("withMountUnit") and not form:
            yield Finding(each.at, "error", "a mount unit needs a format")
        elif each.true("withMountUnit") and form != "swap" and not each.texts("path"):
            yield Finding(each.at, "error", "a mount unit needs a path")
    for raid in part(document, "raid"):
        level, spares = raid.get("level"), raid.get("spares")
        if level and level.text not in _ALL_LEVELS:
            yield Finding(level.at, "error", f"there is no RAID level {level.text[:40]!r}", next=", ".join(_ALL_LEVELS))
        if level and spares and level.text in _NO_SPARES and spares.text != "0":
            yield Finding(spares.at, "error", f"{level.text} has no spares")
        devices = raid.get("devices")
        if devices and devices.kind in ("list", "null") and not devices.items:
            yield Finding(devices.at, "error", "a RAID without devices")
    for luks in part(document, "luks"):
        name, label = luks.get("name"), luks.get("label")
        if name and "/" in name.text:
            yield Finding(name.at, "error", "a slash in the name of a LUKS device")
        if label and len(label.text.encode("utf-8", "replace")) > 47:
            yield Finding(label.at, "error", "a label of LUKS has at most 47 characters")
