"""What a document is for: the program that reads it on the machine, and all that differs from one to the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from coreops.cloudconfig.validate.document import Document
from coreops.cloudconfig.validate.finding import Finding
from coreops.cloudconfig.validate.shapes import Shape
from coreops.cloudconfig.validate.tree import Entry, Value

NAMES: Final = ("coreos", "cloud-init", "ignition", "butane")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: a function from a document to what is wrong with it, and who says so."""

    name: str
    run: Callable[[Document], Iterator[Finding]]
    source: str


def _nothing_to_say(document: Document, entry: Entry, name: str) -> Finding | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A kind of user-data.

    header: findings on the first bytes; parse: text and file to a tree, None when there is nothing in it; version: of
    a tree. files, units, drop_ins, content, enable: where those are. unknown: what it says of a key that it does not
    know, when it knows better than "unrecognized". written: how a rule's name of a key is written. stop: why a document
    is not judged: of another format or time.
    """

    name: str
    header: Callable[[str, str], Iterator[Finding]]
    header_source: str
    parse: Callable[[str, str], Value | None]
    rules: tuple[Rule, ...]
    shape: Callable[[], Shape]
    version: Callable[[Value], str] = lambda root: ""
    files: tuple[str, ...]
    units: tuple[str, ...] = ()
    drop_ins: str = ""
    content: str = "content"
    enable: str = "enable"
    suffixes: tuple[str, ...] = ()
    unknown: Callable[[Document, Entry, str], Finding | None] = _nothing_to_say
    written: Callable[[str], str] = str
    on_unknown: str = "it is ignored"
    on_wrong: str = "it is ignored"
    null_is_absent: bool = False
    stop: Callable[[Value], Finding | None] = lambda root: None
