"""From bytes to findings: the whole of ``coreops validate`` but for reading files and printing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from coreops.cloudconfig.platforms.platform import Platform
from coreops.cloudconfig.validate.document import Document
from coreops.cloudconfig.validate.finding import Finding
from coreops.cloudconfig.validate.header import decode, header
from coreops.cloudconfig.validate.target import NAMES, Target
from coreops.cloudconfig.validate.told import Kind, tell
from coreops.cloudconfig.validate.tree import Value
from coreops.errors import InputError, did_you_mean
from coreops.model import Position

_NOT_JUDGED = {
    "script": "a script: only its first line is looked at",
    "other": "for cloud-init, and no cloud-config: it is not looked into",
    "empty": "an empty file: valid, and does nothing",
}
_SCRIPT = "coreos-cloudinit config/script.go"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a document was taken for, and what is to be said of it, in the order of the file. kind: "" is unreadable."""

    kind: Kind | str
    findings: tuple[Finding, ...]


def target_named(name: str) -> Target:
    """The target of that name. Raises InputError."""
    if name == "cloud-init":
        from coreops.cloudconfig.validate.cloud_init.target import CLOUD_INIT as found
    elif name == "ignition":
        from coreops.cloudconfig.validate.ignition.target import IGNITION as found
    elif name == "butane":
        from coreops.cloudconfig.validate.butane.target import BUTANE as found
    elif name == "coreos":
        from coreops.cloudconfig.validate.coreos import COREOS as found
    else:
        known = f"targets: {', '.join(NAMES)}"
        raise InputError(f"there is no target {name!r}", why=known, next=did_you_mean(name, NAMES))
    return found


def check(data: bytes, file: str, platform: Platform | None = None, target: str | None = None) -> tuple[Finding, ...]:
    """Judge user-data; findings are in the order of the file. Never raises for what is in ``data``."""
    return judge(data, file, platform, target).findings


def judge(data: bytes, file: str, platform: Platform | None = None, target: str | None = None) -> Verdict:
    """Judge user-data for a target, or for the one that it is told to be for. Never raises for what is in ``data``."""
    wanted = target_named(target) if target else None
    kind: Kind | str = target or ""
    try:
        text = decode(data, file)
        found = tell(text)
        if found in _NOT_JUDGED and (wanted is None or found != "other" or target == "cloud-init"):
            return Verdict(found, _sorted(_by_first_line(text, file, found, wanted)))
        kind = target or found
        findings = _sorted(_judged(Document(file, data, text, _NOTHING, wanted or target_named(found), platform)))
    except InputError as error:
        return Verdict(kind, (unreadable(error, file),))
    return Verdict(kind, findings)


_NOTHING = Value("mapping", Position("", 1, 1), (0, 0))


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: (finding.at.line, finding.at.column)))


def unreadable(error: InputError, file: str) -> Finding:
    """A file that cannot be judged, as a finding."""
    where, line, column = error.where or file, 1, 1
    if where.startswith(f"{file}:"):
        numbers = [int(part) for part in where.removeprefix(f"{file}:").split(":")]
        line, column = numbers[0], numbers[1] if len(numbers) > 1 else 1
    return Finding(
        Position(file, line, column), "error", error.what, error.why or "", error.next or "", "read", unreadable=True
    )


def _by_first_line(text: str, file: str, kind: str, target: Target | None) -> Iterator[Finding]:
    if target is not None and target.name in ("ignition", "butane"):
        what = {"script": "a script", "empty": "an empty file"}[kind]
        yield Finding(Position(file, 1, 1), "error", f"{what}, not what {target.name} reads", rule="header")
        return
    if kind == "script":
        for finding in header(text, file):
            yield replace(finding, rule="header", source=_SCRIPT)
    yield Finding(Position(file, 1, 1), "info", _NOT_JUDGED[kind], rule="header", source=_SCRIPT)


def _judged(bare: Document) -> Iterator[Finding]:
    """The findings of a document whose tree is not there yet. Raises InputError when there is none to be had."""
    target, file = bare.target, bare.file
    said = [replace(finding, rule="header", source=target.header_source) for finding in target.header(bare.text, file)]
    yield from said
    text = bare.text.removeprefix("\ufeff")
    try:
        root = target.parse(text, file)
    except InputError:
        if any("first line" in finding.message for finding in said):
            return  # that it is not what it should be says it all
        raise
    if root is None:
        root = Value("mapping", Position(file, 1, 1), (0, 0))
    if root.kind != "mapping" and any("first line" in finding.message for finding in said):
        return
    if end := target.stop(root):
        yield replace(end, rule="header", source=target.header_source)
        return
    yield from _run(replace(bare, text=text, root=root, version=target.version(root)))


def _run(document: Document) -> Iterator[Finding]:
    for rule in document.target.rules:
        for finding in rule.run(document):
            yield replace(finding, rule=rule.name, source=rule.source)
