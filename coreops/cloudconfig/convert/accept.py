"""What coreos-cloudinit read from a document: its known keys, in the types that it took. All else is noted as ignored.

As its YAML reader did (vendor/github.com/coreos/yaml/decode.go): a text is what is written, so that 0644 and off stay
what they are; a value of a wrong type is dropped; a key that comes twice adds to a list, and else the last one wins.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from coreops.cloudconfig.convert.note import Note
from coreops.cloudconfig.marked import Marked
from coreops.cloudconfig.validate.keys import CLOUD_CONFIG, CLOUD_INIT, Key
from coreops.cloudconfig.validate.tree import Entry, Value
from coreops.errors import did_you_mean
from coreops.model import Position

_NUMBERS = ("int", "float")
_EXPONENT = re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+")  # which Go takes for a number, and Python for text
_WORDS = {"text": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}
_INT = re.compile(r"[-+]?(0x[0-9a-fA-F]+|0b[01]+|0[0-7]+|[0-9]+)")
_OCTAL = re.compile("0[0-7]+")
_TRUE = ("true", "yes", "on", "y")
_OURS = ("etcd_member", "docker")


def accept(root: Value, notes: list[Note]) -> Marked:
    """Return what was read, keys with ``_``; notes grow by what was not."""
    return _Accept(notes).mapping(root, CLOUD_CONFIG, "")


class _Accept:
    def __init__(self, notes: list[Note]) -> None:
        self.notes = notes

    def ignore(self, name: str, why: str, at: Position) -> None:
        self.notes.append(Note("ignored", name, why, at))

    def mapping(self, value: Value, key: Key, name: str) -> Marked:
        parts: dict[str, Marked] = {}
        for entry in value.entries:
            full = f"{name}.{entry.written}" if name else entry.written
            below = key.keys.get(entry.name)
            if below is None:
                self.ignore(full, _unknown(entry, key, name), entry.at)
                continue
            found = self.value(entry.value, below, full)
            if found is None:
                if entry.value.kind == "null":
                    parts.pop(entry.name, None)
                continue
            if entry.name in parts:
                kept = "both are taken" if isinstance(found.value, dict | tuple) else "the last one is taken"
                self.notes.append(Note("changed", full, f"it is there twice; {kept}, as on the old machine", entry.at))
                found = _both(parts[entry.name], found)
            parts[entry.name] = replace(found, key=entry.at)
        return Marked(parts, value.at)

    def value(self, value: Value, key: Key, name: str) -> Marked | None:
        if value.kind == "null":
            self.ignore(name, "it has no value", value.at)
            return None
        if key.type == "mapping" and value.kind == "mapping":
            return self.mapping(value, key, name)
        if key.type == "list" and value.kind == "list" and key.item:
            item = key.item
            found = (self.value(each, item, f"{name}[{number}]") for number, each in enumerate(value.items))
            kept = tuple(each for each in found if each is not None)
            if not value.items:
                self.ignore(name, "it is empty", value.at)
            return Marked(kept, value.at) if kept else None
        plain = _scalar(value, key)
        if plain is None:
            want, got = _WORDS.get(key.type, f"a {key.type}"), _WORDS.get(value.kind, f"a {value.kind}")
            self.ignore(name, f"coreos-cloudinit takes {want} here, and dropped {got}", value.at)
        elif plain == "":
            if not name.endswith("content"):
                self.ignore(name, "it is empty, which was as if it were not there", value.at)
            return None
        elif key.type == "int" and value.kind != "int":
            self.notes.append(Note("changed", name, f"coreos-cloudinit made {plain} of {value.text}", value.at))
        elif _misread(value, key):
            why = f"written as the text {value.text!r}, which coreos-cloudinit read; other readers of YAML make"
            other = str(value.text.lower() in _TRUE).lower() if value.kind == "bool" else int(value.text, 8)
            self.notes.append(Note("changed", name, f"{why} {other} of it", value.at))
        return None if plain is None else Marked(plain, value.at)


def _misread(value: Value, key: Key) -> bool:
    """Is it a text to coreos-cloudinit, and something else to other readers?"""
    if key.type != "text" or not value.plain or (key.valid and not re.fullmatch(key.valid, value.text)):
        return False
    return value.kind == "bool" or _OCTAL.fullmatch(value.text) is not None


def _scalar(value: Value, key: Key) -> Any:
    """The value as its key's type, or None where coreos-cloudinit dropped it."""
    if value.kind in ("mapping", "list"):
        return None
    if key.type == "text":
        return value.text
    if key.type == "bool":
        return value.text.lower() in _TRUE if value.kind == "bool" else None
    number = value.kind in _NUMBERS or (value.plain and _EXPONENT.fullmatch(value.text))
    if key.type in _NUMBERS and number:
        return _number(value.text.replace("_", ""), key.type)
    return None


def _number(text: str, kind: str) -> int | float | None:
    if match := _INT.fullmatch(text):
        digits = match[1]
        base = {"0x": 16, "0b": 2}.get(digits[:2], 8 if digits.startswith("0") else 10)
        return int(text.replace("0x", "").replace("0b", ""), base)
    try:
        number = float(text)
        return int(number) if kind == "int" else number
    except (ValueError, OverflowError):
        return None  # 1:30 and .inf are no numbers to coreos-cloudinit


def _both(first: Marked, second: Marked) -> Marked:
    if isinstance(first.value, dict) and isinstance(second.value, dict):
        merged = dict(first.value)
        for name, each in second.value.items():
            merged[name] = _both(merged[name], each) if name in merged else each
        return replace(second, value=merged)
    if isinstance(first.value, tuple) and isinstance(second.value, tuple):
        return replace(second, value=first.value + second.value)
    return second


def _unknown(entry: Entry, key: Key, name: str) -> str:
    never = "coreos-cloudinit never read it"
    if name == "coreos" and entry.name in CLOUD_CONFIG.keys:
        return f"{never} below coreos; if the machine is to have it, move it to the left margin"
    if name == "coreos" and entry.name in _OURS:
        return f"{never}; it is a key of coreops' node (coreops render)"
    if near := did_you_mean(entry.name, key.keys):
        return f"{never}; {near}"
    if not name and entry.name in CLOUD_INIT:
        return f"{never}; it is a key of cloud-init"
    return never
