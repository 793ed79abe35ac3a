"""Rules on disks, partitions, filesystems, RAID and LUKS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from coreops.cloudconfig.validate.document import Document, mappings
from coreops.cloudconfig.validate.finding import Finding
from coreops.cloudconfig.validate.tree import Value

_LABELS: Final = {"ext4": 16, "btrfs": 256, "xfs": 12, "swap": 15, "vfat": 11}
_LEVELS: Final = ("linear", "raid0", "0", "stripe", "raid1", "1", "mirror", "raid4", "4", "raid5", "5", "raid6", "6")
_ALL_LEVELS: Final = (*_LEVELS, "raid10", "10")
_NO_SPARES: Final = ("linear", "raid0", "0", "stripe")
_GUID = re.compile(r"(|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})")


def devices(document: Document, name: str) -> Iterator[Value]:
    """The mappings of a list below storage."""
    return mappings(document.root.get("storage", name))


def number(text: str) -> int:
    """A whole number as JSON or YAML writes it; -1 for what is none."""
    text = text.replace("_", "")
    try:
        return int(text, 0)
    except ValueError:
        return int(text, 8) if re.fullmatch("[+-]?0[0-7]+", text) else -1


def partitions(document: Document) -> Iterator[Finding]:
    """Partitions that cannot be told apart, overlap, or are what GPT does not hold."""
    for disk in devices(document, "disks"):
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
    label, place = each.get("label"), each.get("number")
    if label is None and (place is None or place.text == "0"):
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
    if not start or not size or start.kind != "int" or size.kind != "int" or number(start.text) <= 0:
        return None
    return number(start.text), number(start.text) + max(number(size.text), 1) - 1


def filesystems(document: Document) -> Iterator[Finding]:
    """Filesystems without a format, with a label that is too long, on a disk that is partitioned; RAID levels."""
    disks = {disk.texts("device"): disk for disk in devices(document, "disks")}
    for each in devices(document, "filesystems"):
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
    yield from _arrays(document)
    yield from _encrypted(document)


def _arrays(document: Document) -> Iterator[Finding]:
    for raid in devices(document, "raid"):
        level, spares = raid.get("level"), raid.get("spares")
        if level and level.text not in _ALL_LEVELS:
            yield Finding(level.at, "error", f"there is no RAID level {level.text[:40]!r}", next=", ".join(_ALL_LEVELS))
        if level and spares and level.text in _NO_SPARES and spares.text != "0":
            yield Finding(spares.at, "error", f"{level.text} has no spares")
        members = raid.get("devices")
        if members and members.kind in ("list", "null") and not members.items:
            yield Finding(members.at, "error", "a RAID without devices")


def _encrypted(document: Document) -> Iterator[Finding]:
    for luks in devices(document, "luks"):
        name, label = luks.get("name"), luks.get("label")
        if name and "/" in name.text:
            yield Finding(name.at, "error", "a slash in the name of a LUKS device")
        if label and len(label.text.encode("utf-8", "replace")) > 47:
            yield Finding(label.at, "error", "a label of LUKS has at most 47 characters")
