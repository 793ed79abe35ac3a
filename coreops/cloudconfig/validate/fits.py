"""Rules that hold a document against the shape of its target: keys, types, values, what is needed, what is of the past.

What is said of a key that nobody knows is the target's; knows no target itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from coreops.cloudconfig.validate.document import Document
from coreops.cloudconfig.validate.finding import Finding
from coreops.cloudconfig.validate.shapes import Alt, Shape
from coreops.cloudconfig.validate.tree import Value
from coreops.errors import did_you_mean

_NOUNS = {
    "text": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
    "date": "a date",
    "list": "a list",
    "mapping": "a mapping",
}


@dataclass(frozen=True, slots=True)
class Met:
    """A value, what it was to be, and which of that it is; None: none of it. name: its keys, for people."""

    value: Value
    shape: Shape
    alt: Alt | None
    name: str


def walk(document: Document) -> list[Met]:
    """Every value whose shape is known, parents first; values of the wrong type are not entered."""
    found: list[Met] | None = document.memo.get("met")
    if found is None:
        found = document.memo["met"] = []
        _walk(document.root, document.shape, "", found)
    return found


def _walk(value: Value, shape: Shape, name: str, found: list[Met]) -> None:
    if not shape:
        return
    alt = _chosen(value, shape)
    found.append(Met(value, shape, alt, name))
    if alt is None:
        return
    for number, item in enumerate(value.items):
        _walk(item, alt.item, f"{name}[{number}]", found)
    for entry in value.entries:
        field = alt.fields.get(entry.name)
        below = field.shape if field else _other(alt, entry.written)
        if below:
            _walk(entry.value, below, f"{name}.{entry.written}" if name else entry.written, found)


def _other(alt: Alt, key: str) -> Shape | None:
    """What a key that is not among the fields takes; None: it is not known."""
    return alt.others if alt.others is not None and re.search(alt.others_like, key) else None


def _chosen(value: Value, shape: Shape) -> Alt | None:
    """The alternative of the value's type; of several the one that it is, or is nearest to being."""
    found = [alt for alt in shape if alt.kind == value.kind]
    if len(found) < 2:
        return found[0] if found else None
    if value.kind != "mapping":
        return next((alt for alt in found if not _wrong(value, alt)), found[0])
    return min(found, key=lambda alt: _misfit(value, alt))


def _misfit(value: Value, alt: Alt) -> int:
    names = {entry.name for entry in value.entries}
    bad = sum(name not in alt.fields for name in names) if alt.others is None else 0
    bad += sum(field.needed and name not in names for name, field in alt.fields.items())
    for entry in value.entries:
        if (field := alt.fields.get(entry.name)) and field.shape:
            below = _chosen(entry.value, field.shape)
            bad += below is None or _wrong(entry.value, below)
    return bad


def _wrong(value: Value, alt: Alt) -> bool:
    """Whether a scalar of the right type is not valid."""
    if alt.words:
        text = value.text if alt.kind == "text" else str(value.text.lower() in ("true", "yes", "on", "y")).lower()
        return text not in alt.words
    if alt.pattern and not re.fullmatch(alt.pattern, value.text, re.DOTALL):
        return True
    if alt.like.startswith("a date") and not _is_date(value.text):
        return True
    return alt.kind in ("int", "float") and alt.low is not None and _number(value.text) < alt.low


def _valid(shape: Shape) -> Iterator[str]:
    """What would be valid, in words."""
    for alt in (alt for alt in shape if not alt.old):
        if alt.words:
            yield from (repr(word) if alt.kind == "text" else word for word in alt.words)
        elif alt.pattern:
            yield alt.like or f"what matches {alt.pattern}"
        else:
            yield _NOUNS[alt.kind] + (f" from {alt.low}" if alt.low is not None else "")


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _number(text: str) -> float:
    try:
        return float(text.replace("_", ""))
    except ValueError:
        return 0  # hexadecimal and the like


def _wanted(shape: Shape) -> str:
    nouns = dict.fromkeys(_NOUNS[alt.kind] for alt in shape)
    return " or ".join(nouns)


def types(document: Document) -> Iterator[Finding]:
    """Values of a type that their key does not take."""
    for met in walk(document):
        if met.alt is not None:
            continue
        what, got = met.name or "the document", met.value
        if got.kind == "null" and document.target.null_is_absent and met.name and not met.name.endswith("]"):
            yield Finding(got.at, "warning", f"{what} has no value", "it is as if it were not there")
            continue
        takes_text = any(alt.kind == "text" for alt in met.shape)
        quote = '"' if document.target.name == "ignition" else "'"
        scalar = got.text and got.kind not in ("mapping", "list")
        hint = f"quote it: {quote}{got.text}{quote}" if takes_text and scalar else ""
        if got.kind == "mapping" and takes_text and len(got.entries) == 1:
            hint = "a colon and a space make a mapping of it; put the whole line in quotes"
        message = f"incorrect type for {what} (want {_wanted(met.shape)}, got {_NOUNS[got.kind]})"
        yield Finding(got.at, "error", message, document.target.on_wrong, hint)


def values(document: Document) -> Iterator[Finding]:
    """Values that are not among those that a key may have; too few, too many, and the same one again."""
    for met in walk(document):
        if met.alt is None:
            continue
        what = met.name or "the document"
        if met.value.kind in ("mapping", "list"):
            yield from _counts(met.value, met.alt, what)
        elif _wrong(met.value, met.alt):
            why = " or ".join(dict.fromkeys(_valid(met.shape)))
            why = did_you_mean(met.value.text, [word for alt in met.shape for word in alt.words]) or why
            yield Finding(met.value.at, "error", f"invalid value {met.value.text[:60]!r} for {what}", next=why)


def _counts(value: Value, alt: Alt, what: str) -> Iterator[Finding]:
    has = len(value.items) or len(value.entries)
    if alt.low is not None and has < alt.low:
        why = f"it needs {alt.low}" + ("" if alt.most == alt.low else " or more")
        yield Finding(value.at, "error", f"{what} is empty" if not has else f"{what} has only {has}", why)
    if alt.most is not None and has > alt.most:
        yield Finding(value.at, "error", f"{what} has {has}", f"{alt.most} is the most")
    if alt.unique:
        first: dict[str, Value] = {}
        for item in value.items:
            if item.kind not in ("mapping", "list") and first.setdefault(item.text, item) is not item:
                yield Finding(item.at, "error", f"{item.text[:60]!r} is twice in {what}", next="keep one of them")


def unknown_keys(document: Document) -> Iterator[Finding]:
    """Keys that nobody reads, at any level."""
    for met in walk(document):
        if met.alt is None or met.value.kind != "mapping":
            continue
        for entry in met.value.entries:
            if entry.name in met.alt.fields or _other(met.alt, entry.written) is not None:
                continue
            said = document.target.unknown(document, entry, met.name)
            if said is not None:
                yield said
                continue
            what = f"unrecognized key {entry.written!r}" + (f" in {met.name}" if met.name else "")
            near = did_you_mean(entry.written, [document.target.written(name) for name in met.alt.fields])
            yield Finding(entry.at, "error", what, document.target.on_unknown, near or "")


def needed(document: Document) -> Iterator[Finding]:
    """Keys that have to be there."""
    for met in walk(document):
        if met.alt is None or met.value.kind != "mapping":
            continue
        null = document.target.null_is_absent
        there = {entry.name for entry in met.value.entries if not (null and entry.value.kind == "null")}
        for name, field in met.alt.fields.items():
            if field.needed and name not in there:
                what = f"{document.target.written(name)} is missing" + (f" in {met.name}" if met.name else "")
                yield Finding(met.value.at, "error", what)


def deprecated(document: Document) -> Iterator[Finding]:
    """Keys and values that are still taken, and will not be for long."""
    for met in walk(document):
        if met.alt is None:
            continue
        if met.alt.old and not _wrong(met.value, met.alt):
            others = _wanted(tuple(alt for alt in met.shape if not alt.old))
            hint = f"write {others}" if others else ""
            yield Finding(met.value.at, "warning", f"{met.name}: this form is deprecated", next=hint)
        for entry in met.value.entries:
            field = met.alt.fields.get(entry.name)
            if field and field.old:
                where = f"{met.name}.{entry.written}" if met.name else entry.written
                yield Finding(entry.at, "warning", f"deprecated key {where!r}")


def too_new(document: Document) -> Iterator[Finding]:
    """Keys that came with a later version than the document's."""
    if not document.version:
        return
    for met in walk(document):
        for entry in met.value.entries if met.alt else ():
            field = met.alt.fields.get(entry.name) if met.alt else None
            if field and field.since and _parts(field.since) > _parts(document.version):
                where = f"{met.name}.{entry.written}" if met.name else entry.written
                yield Finding(
                    entry.at, "error", f"{where} came with spec {field.since}.0", f"this is of spec {document.version}"
                )


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])
