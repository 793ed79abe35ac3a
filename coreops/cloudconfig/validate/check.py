"""From bytes to findings: the whole of ``coreops validate`` but for reading files and printing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from coreops.cloudconfig.platforms.platform import Platform
from coreops.cloudconfig.validate.document import Document
from coreops.cloudconfig.validate.finding import Finding
from coreops.cloudconfig.validate.header import decode, header, kind
from coreops.cloudconfig.validate.rules import RULES
from coreops.cloudconfig.validate.tree import Value, parse
from coreops.errors import InputError
from coreops.model import Position

_HEADER = "coreos-cloudinit config/config.go, config/script.go"
_OTHER = {
    "script": "a script: only its first line is looked at",
    "ignition": "an Ignition config: coreos-cloudinit leaves it to Ignition, and so does this command",
    "empty": "an empty file: valid, and does nothing",
}


def check(data: bytes, file: str, platform: Platform | None = None) -> tuple[Finding, ...]:
    """Judge user-data; findings are in the order of the file. Never raises for what is in ``data``."""
    try:
        found = _check(data, file, platform)
    except InputError as error:
        return (unreadable(error, file),)
    return tuple(sorted(found, key=lambda finding: (finding.at.line, finding.at.column)))


def unreadable(error: InputError, file: str) -> Finding:
    """A file that cannot be judged, as a finding."""
    where, line, column = error.where or file, 1, 1
    if where.startswith(f"{file}:"):
        numbers = [int(part) for part in where.removeprefix(f"{file}:").split(":")]
        line, column = numbers[0], numbers[1] if len(numbers) > 1 else 1
    return Finding(
        Position(file, line, column), "error", error.what, error.why or "", error.next or "", "read", unreadable=True
    )


def _check(data: bytes, file: str, platform: Platform | None) -> list[Finding]:
    text = decode(data, file)
    found = [replace(finding, rule="header", source=_HEADER) for finding in header(text, file)]
    what = kind(text)
    text = text.removeprefix("\ufeff")
    if what in _OTHER:
        found.append(Finding(Position(file, 1, 1), "info", _OTHER[what], rule="header", source=_HEADER))
        return found
    try:
        root = parse(text, file)
    except InputError:
        if what == "unknown":
            return found  # that it is no cloud-config says it all
        raise
    if root is None:
        root = Value("mapping", Position(file, 1, 1), (0, 0))
    if what == "unknown" and root.kind != "mapping":
        return found
    return found + list(_run(Document(file, data, text, root, platform)))


def _run(document: Document) -> Iterator[Finding]:
    for rule in RULES:
        for finding in rule.run(document):
            yield replace(finding, rule=rule.name, source=rule.source)
