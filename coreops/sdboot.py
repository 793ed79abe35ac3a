"""Which entry systemd-boot boots: the rules of the Boot Loader Specification, with boot counting. Pure; knows no disk.

``NAME+LEFT-DONE.conf`` has LEFT tries and has had DONE; each boot takes one. ``NAME.conf`` is not counted: it has been
found good. Entries without a try left come last; before that sort-key, machine-id, and the higher version first decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cmp_to_key

_COUNTED = re.compile(r"(?P<name>.*)\+(?P<left>[0-9]+)(-(?P<done>[0-9]+))?\.conf", re.IGNORECASE | re.DOTALL)
_SKIPPED = re.compile(r"[^A-Za-z0-9~^.-]+")
_DIGITS, _LETTERS = re.compile(r"[0-9]*"), re.compile(r"[A-Za-z]*")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of loader/entries, and what of its content decides about its place."""

    file: str
    sort_key: str = ""
    machine_id: str = ""
    version: str = ""

    @property
    def left(self) -> int | None:
        """How many tries it has; None: it is not counted."""
        found = _COUNTED.fullmatch(self.file)
        return int(found["left"]) if found else None

    @property
    def done(self) -> int:
        """How many tries it has had."""
        found = _COUNTED.fullmatch(self.file)
        return int(found["done"] or 0) if found else 0

    @property
    def name(self) -> str:
        """The file's name without counters."""
        found = _COUNTED.fullmatch(self.file)
        return found["name"] if found else self.file[: -len(".conf")]

    @property
    def booted(self) -> str:
        """What systemd-boot calls the file before it boots the entry."""
        if self.left is None:
            return self.file
        return f"{self.name}+{max(self.left - 1, 0)}-{self.done + 1}{self.file[-len('.conf') :]}"


def read(file: str, text: str) -> Entry | None:
    """Read an entry. None: systemd-boot does not take it for one."""
    if file.startswith((".", "auto-")) or not file.lower().endswith(".conf"):
        return None
    lines = (line.split(None, 1) for line in text.splitlines() if not line.lstrip().startswith("#"))
    words = {line[0]: line[1].strip() for line in lines if len(line) == 2}
    if not words.get("linux") and not words.get("efi"):
        return None
    return Entry(file, words.get("sort-key", ""), words.get("machine-id", ""), words.get("version", ""))


def ordered(entries: Iterable[Entry]) -> list[Entry]:
    """As they stand in the menu; the first one boots."""
    return sorted(entries, key=cmp_to_key(_compare))


def choose(entries: Iterable[Entry]) -> Entry | None:
    """The entry that boots when nobody has said otherwise (a default in loader.conf, the firmware's variables)."""
    return next(iter(ordered(entries)), None)


def compare_versions(a: str, b: str) -> int:
    """Below 0, 0, above 0: a is older, the same, newer. As ``systemd-analyze compare-versions`` has it."""
    while True:
        a, b = (_SKIPPED.sub("", text, count=1) if _SKIPPED.match(text) else text for text in (a, b))
        for mark in ("~", "", "-", "^", "."):
            if not mark and not (a and b):
                return bool(a) - bool(b)
            if mark and (a.startswith(mark) or b.startswith(mark)):
                if not (a.startswith(mark) and b.startswith(mark)):
                    return -1 if a.startswith(mark) else 1
                a, b = a[1:], b[1:]
        digits = a[:1].isdigit() or b[:1].isdigit()
        (c, a), (d, b) = (_cut(_DIGITS if digits else _LETTERS, text) for text in (a, b))
        if digits and bool(c) != bool(d):
            return bool(c) - bool(d)
        if c != d:
            c, d = (c.lstrip("0"), d.lstrip("0")) if digits else (c, d)
            if digits and len(c) != len(d):
                return len(c) - len(d)
            if c != d:
                return -1 if c < d else 1
        if not a and not b:
            return 0


def _cut(segment: re.Pattern[str], text: str) -> tuple[str, str]:
    found = segment.match(text)
    end = found.end() if found else 0
    return text[:end], text[end:]


def _compare(a: Entry, b: Entry) -> int:
    if (a.left == 0) != (b.left == 0):
        return 1 if a.left == 0 else -1
    if bool(a.sort_key) != bool(b.sort_key):
        return -1 if a.sort_key else 1
    if a.sort_key:
        mine, other = (a.sort_key, a.machine_id), (b.sort_key, b.machine_id)
        if mine != other:
            return -1 if mine < other else 1
        if newer := compare_versions(b.version, a.version):
            return newer
    if newer := compare_versions(b.file.lower(), a.file.lower()):
        return newer
    if a.left is None or b.left is None:
        return 0
    return (b.left - a.left) or (a.done - b.done)
