"""Rules on keys, types and single values, by the key reference. One rule a function."""

from __future__ import annotations

import re
from collections.abc import Iterator

from coreops.cloudconfig.validate.document import Document
from coreops.cloudconfig.validate.finding import Finding
from coreops.cloudconfig.validate.keys import CLOUD_CONFIG, CLOUD_INIT, Key
from coreops.cloudconfig.validate.tree import Entry, Value
from coreops.errors import did_you_mean

_TAKES = {
    "text": {"text", "int", "float", "bool", "date"},
    "int": {"int"},
    "float": {"float", "int"},
    "bool": {"bool"},
    "list": {"list"},
    "mapping": {"mapping"},
}
_WORDS = {
    "text": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
    "date": "a date",
}


def _walk(value: Value, key: Key, name: str = "") -> Iterator[tuple[Value, Key, str]]:
    """Every value whose key is known, parents first; values of the wrong type are not entered."""
    yield value, key, name
    if key.item:
        for number, item in enumerate(value.items):
            yield from _walk(item, key.item, f"{name}[{number}]")
    for entry in value.entries:
        if below := key.keys.get(entry.name):
            yield from _walk(entry.value, below, f"{name}.{entry.written}" if name else entry.written)


def unknown_keys(document: Document) -> Iterator[Finding]:
    """Keys that nobody reads, at any level."""
    for value, key, name in _walk(document.root, CLOUD_CONFIG):
        if key.type == "mapping":
            for entry in value.entries:
                if entry.name not in key.keys:
                    yield _unknown(entry, key, name)


def _unknown(entry: Entry, key: Key, name: str) -> Finding:
    message = f"unrecognized key {entry.written!r}" + (f" in {name}" if name else "")
    if name == "coreos" and entry.name == "write_files":
        return Finding(entry.at, "error", "write_files doesn't belong under coreos", next="move it to the left margin")
    if entry.name in key.ignored:
        return Finding(entry.at, "warning", message, "it was documented, and never did anything")
    if near := did_you_mean(entry.name, key.keys):
        return Finding(entry.at, "error", message, "it is ignored", near)
    if not name and entry.name in CLOUD_INIT:
        return Finding(entry.at, "warning", message, "a key of cloud-init, which coreos-cloudinit ignores")
    places = [f"{section}.{entry.name}" for section, below in CLOUD_CONFIG.keys.items() if entry.name in below.keys]
    if entry.name in CLOUD_CONFIG.keys:
        places.append(f"{entry.name} at the left margin")
    known = f"there is {' and '.join(places)}" if places else ""
    return Finding(entry.at, "warning", message, "it is ignored", known)


def duplicate_keys(document: Document) -> Iterator[Finding]:
    """A key that is there twice: one of the two is lost."""
    pending = [document.root]
    seen: set[tuple[int, int]] = set()
    while pending:
        value = pending.pop()
        if value.span in seen:
            continue
        seen.add(value.span)
        first: dict[str, Entry] = {}
        for entry in value.entries:
            old = first.setdefault(entry.name, entry)
            if old is not entry:
                same = "" if old.written == entry.written else "; - and _ are the same"
                yield Finding(
                    entry.at, "error", f"duplicate key {entry.written!r}", f"the first is on line {old.at.line}{same}"
                )
            pending.append(entry.value)
        pending += value.items


def types(document: Document) -> Iterator[Finding]:
    """Values of a type that their key does not take: they are dropped."""
    for value, key, name in _walk(document.root, CLOUD_CONFIG):
        if value.kind == "null" and name:
            yield Finding(value.at, "warning", f"{name} has no value", "it is as if it were not there")
        elif value.kind not in _TAKES[key.type]:
            what = name or "the document"
            want, got = _WORDS.get(key.type, f"a {key.type}"), _WORDS.get(value.kind, f"a {value.kind}")
            yield Finding(value.at, "error", f"incorrect type for {what} (want {want}, got {got})", "it is ignored")


def deprecated(document: Document) -> Iterator[Finding]:
    """Keys that the last coreos-cloudinit warned about."""
    for value, key, name in _walk(document.root, CLOUD_CONFIG):
        for entry in value.entries:
            below = key.keys.get(entry.name)
            if below and below.deprecated:
                where = f"{name}.{entry.written}" if name else entry.written
                yield Finding(entry.at, "warning", f"deprecated key {where!r}", below.deprecated)


def values(document: Document) -> Iterator[Finding]:
    """Values that are not among those that a key may have."""
    for value, key, name in _walk(document.root, CLOUD_CONFIG):
        if not key.valid or not value.text or value.kind not in _TAKES["text"] or re.fullmatch(key.valid, value.text):
            continue
        hint = (
            did_you_mean(value.text, key.valid.split("|"))
            or key.like
            or "one of " + key.valid.replace("\\", "").replace("|", ", ")
        )
        if value.kind == "bool" and "off" in key.valid:
            word = "off" if value.text.lower() in ("false", "no", "n") else "on"
            hint = f'write "{word}" in quotes: a program that rewrote this file took {word} for {value.text}'
        yield Finding(value.at, "error", f"invalid value {value.text!r} for {name}", next=hint)


def hostname(document: Document) -> Iterator[Finding]:
    """A host name with dots in it."""
    name = document.root.get("hostname")
    if name and "." in name.text and "$" not in name.text:
        short = name.text.partition(".")[0]
        yield Finding(name.at, "info", f"{name.text[:60]!r} has dots", f"on Flatcar it becomes {short[:60]!r}")


def quoting(document: Document) -> Iterator[Finding]:
    """Text that YAML readers other than coreos-cloudinit take for something else."""
    for value, key, name in _walk(document.root, CLOUD_CONFIG):
        if key.type != "text" or not value.plain or (key.valid and not re.fullmatch(key.valid, value.text)):
            continue
        if value.kind == "bool":
            why = f"other YAML readers make {str(value.text.lower() in ('y', 'yes', 'on', 'true')).lower()} of it"
            yield Finding(value.at, "warning", f"{value.text} is not quoted in {name}", why, f"write '{value.text}'")
        elif value.kind == "int" and re.fullmatch("0[0-7]+", value.text):
            why = f"other YAML readers make {int(value.text, 8)} of it"
            yield Finding(value.at, "info", f"{value.text} is not quoted in {name}", why, f"write '{value.text}'")
