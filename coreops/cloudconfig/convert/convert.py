"""The whole way: bytes that a coreos-cloudinit took to bytes for a target, and the report."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from coreops.cloudconfig import secrets
from coreops.cloudconfig.addresses import NOWHERE
from coreops.cloudconfig.convert.accept import accept
from coreops.cloudconfig.convert.fill import fill
from coreops.cloudconfig.convert.lost import Lost, located
from coreops.cloudconfig.convert.mend import mend
from coreops.cloudconfig.convert.modern import modern
from coreops.cloudconfig.convert.note import Note
from coreops.cloudconfig.convert.parts import below
from coreops.cloudconfig.convert.runs import environment, otherwise
from coreops.cloudconfig.convert.script import is_script, script
from coreops.cloudconfig.convert.units import mend_units
from coreops.cloudconfig.marked import Marked
from coreops.cloudconfig.platforms.platform import Platform
from coreops.cloudconfig.platforms.size import fit
from coreops.cloudconfig.validate.check import check
from coreops.cloudconfig.validate.finding import Finding
from coreops.cloudconfig.validate.header import decode, kind
from coreops.cloudconfig.validate.tree import parse
from coreops.errors import InputError
from coreops.model import Position

# What the conversion says itself, with what becomes of it.
_SAID_HERE: Final = frozenset(
    {"unknown-key", "type", "path", "deprecated", "quoting", "duplicate-key", "duplicate-path", "duplicate-unit"}
    | {"size", "substitution", "value", "secret"}
)
_MULTIPART = re.compile(r"(?i)\A(?:[\w-]+:[^\n]*\n(?:[ \t][^\n]*\n)*)*?content-type:\s*multipart/")


@dataclass(frozen=True, slots=True)
class Converted:
    """The result and the report. findings: what was wrong with the file on the old machine already."""

    data: bytes
    notes: tuple[Note, ...]
    losses: tuple[Lost, ...]
    findings: tuple[Finding, ...]


def convert(
    data: bytes,
    file: str,
    target: str,
    *,
    spec: str | None = None,
    platform: Platform | None = None,
    addresses: Mapping[str, str] | None = None,
) -> Converted:
    """Convert user-data. Raises InputError, with its place, for what is no cloud-config or what nobody can know."""
    from coreops.cloudconfig.model import node_of
    from coreops.cloudconfig.targets import TARGETS as RENDER

    known = addresses or {}
    notes: list[Note] = []
    findings = tuple(each for each in check(data, file, platform, "coreos") if each.rule not in _SAID_HERE)
    read = _read(decode(data, file), file, notes)
    done = modern(mend(read, notes), target, notes)
    tree = mend_units(done.tree, notes)
    losses = list(done.losses)
    _refuse(findings)
    notes += _secrets(tree, platform or NOWHERE)
    if not is_script(read):
        tree = otherwise(tree, target, notes)
    tree = fill(tree, target, platform or NOWHERE, known, notes, lost_sections(tree, target))
    tree = environment(tree, target, known, notes, losses)
    try:
        rendered = RENDER[target](node_of(tree), spec)
    except InputError as error:
        raise InputError(error.what, where=error.where or file, why=error.why, next=error.next) from None
    _fits(rendered.data, target, platform, file, notes)
    notes.sort(key=lambda note: (note.at.line, note.at.column) if note.at else (0, 0))
    lost = tuple(located(loss, read) for loss in (*losses, *rendered.losses))
    return Converted(rendered.data, tuple(notes), lost, findings)


def lost_sections(tree: Marked, target: str) -> frozenset[str]:
    """The sections that a target has nothing for: whether the addresses in them are known is all the same."""
    from coreops.cloudconfig.model import node_of
    from coreops.cloudconfig.targets import TARGETS as RENDER

    found = set()
    sections = below(tree, "coreos")
    for name, each in sections.value.items() if sections else ():
        if isinstance(each.value, dict) and each.value:
            alone = Marked({"coreos": Marked({name: each}, each.place)}, each.place)
            losses = RENDER[target](node_of(alone)).losses
            lost = {loss.key for loss in losses if loss.instead is None}
            if lost >= {f"coreos.{name}.{key}" for key in each.value}:
                found.add(name)
    return frozenset(found)


def _read(text: str, file: str, notes: list[Note]) -> Marked:
    """The document as coreos-cloudinit took it. Raises InputError for what it did not take."""
    at, what = Position(file, 1, 1), kind(text)
    text = text.removeprefix("\ufeff")
    if what == "script":
        return script(text, file, notes)
    if what == "ignition":
        raise InputError(
            "it is an Ignition config already",
            where=at,
            why="coreos-cloudinit left such a file to Ignition",
            next="there is nothing to convert where it is of version 3; ignition-validate says whether it is",
        )
    if what == "unknown":
        raise _strange(text, at)
    root = parse(text, file) if what == "cloud-config" else None
    if root is None or root.kind == "null":
        return Marked({}, at)
    if root.kind != "mapping":
        raise InputError(f"the document is a {root.kind}, not a mapping of keys", where=root.at)
    tree = accept(root, notes)
    if root.entries and not tree.value:
        notes.append(Note("note", "the whole file", "coreos-cloudinit read nothing in it: is it for cloud-init?", at))
    return tree


def _strange(text: str, at: Position) -> InputError:
    if _MULTIPART.match(text):
        return InputError(
            "a multipart message cannot be converted",
            where=at,
            why="only Flatcar's coreos-cloudinit took one, and its parts may be of different kinds",
            next="save each part in a file of its own, and convert those that begin with #cloud-config or #!",
        )
    return InputError(
        'no cloud-config of coreos-cloudinit: the first line must be "#cloud-config" or begin with "#!"',
        where=at,
        why="coreos-cloudinit refused such a file",
        next="coreops validate says what is wrong with it; write the line if the file is one",
    )


def _refuse(findings: tuple[Finding, ...]) -> None:
    """Content that nobody can decode is content that nobody knows."""
    for each in findings:
        if each.rule == "encoding" and each.severity == "error":
            raise InputError(each.message, where=each.at, why=each.why, next=each.next or "mend or remove the file")


def _secrets(tree: Marked, platform: Platform) -> Iterator[Note]:
    for secret in secrets.find(tree):
        if not secret.hashed:
            why = f"a secret ({secret.kind}): on {platform.name}, user-data can be read by {platform.readers.text}"
            yield Note("note", secret.key, f"{why}; bring it over SSH when the machine is up", secret.place)


def _fits(data: bytes, target: str, platform: Platform | None, file: str, notes: list[Note]) -> None:
    if platform is None:
        return
    size = fit(data, platform, target)
    if size.over:
        raise InputError(
            f"the result has {len(data)} bytes, and {platform.name} takes {size.most} {size.unit}",
            where=file,
            next="fetch large content on the node, by a unit, instead of carrying it in user-data",
        )
    if size.zipped:
        why = f"{len(data)} bytes, and {platform.name} takes {size.most} {size.unit}: hand it over gzipped"
        notes.append(Note("note", "the size", why))
