"""An INI inventory, read the way Ansible reads it: sections, host lines, ``:vars`` and ``:children``."""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

from coreops.errors import InputError, did_you_mean
from coreops.inventory.draft import Draft, Owner
from coreops.inventory.names import parse_host
from coreops.inventory.words import UnbalancedQuote, words
from coreops.model import Position

KINDS = ("hosts", "vars", "children")
_SECTION = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?")
_CHILD = re.compile(r"([^:\]\s]+)\s*(?:#.*)?")
_PLAIN_TEXT = re.compile(r"[A-Za-z_/][\w./:@-]*")
_NAMED_LITERALS = ("True", "False", "None")


def parse_ini(text: str, file: str, draft: Draft) -> None:
    """Add the INI inventory ``text`` to ``draft``. Raises InputError with file:line:column."""
    _Reader(file, draft).read(text)


def literal(text: str) -> Any:
    """Return the Python literal that ``text`` is, or the text itself, as Ansible does for every INI value."""
    if _PLAIN_TEXT.fullmatch(text) and text not in _NAMED_LITERALS:
        return text
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            value = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return text
    return _plain(value)


def _plain(value: Any) -> Any:
    """Reduce Python's literals to the types YAML and JSON have."""
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {_plain(key) if isinstance(key, bytes) else key: _plain(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return value.decode(errors="surrogateescape")
    if value is ...:
        return "..."
    return str(value) if isinstance(value, complex) else value


class _Reader:
    def __init__(self, file: str, draft: Draft) -> None:
        self.file = file
        self.draft = draft
        self.declared: set[str] = set(draft.groups)
        self.pending: dict[str, tuple[Position, str]] = {}

    def read(self, text: str) -> None:
        kind, group = "hosts", self.draft.groups["ungrouped"]
        for number, raw in enumerate(text.splitlines(), 1):
            line = raw.strip()
            if not line or line[0] in "#;":
                continue
            at = Position(self.file, number, len(raw) - len(raw.lstrip()) + 1)
            if line[0] == "[" and (header := self.section(line, at)):
                group, kind = header
            elif kind == "hosts":
                self.host_line(group, line, at)
            elif kind == "vars":
                self.variable(group, line, at)
            else:
                self.child(group, line, at)
        for name, (where, why) in self.pending.items():
            if name not in self.declared:
                raise InputError(f"unknown group {name!r}", where=where, why=why, next=self.declare(name))

    def section(self, line: str, at: Position) -> tuple[Owner, str] | None:
        match = _SECTION.fullmatch(line)
        if not match:
            if line[-1] == "]" or "]" not in line:
                raise InputError(
                    f"{line[:60]!r} is not a section",
                    where=at,
                    why="a section is [group], [group:vars] or [group:children], without spaces",
                )
            return None
        name, kind = match[1], match[2] or "hosts"
        if kind not in KINDS:
            raise InputError(
                f"unknown kind of section {kind!r}",
                where=_right(at, line.index(":") + 1),
                why="a section is [group], [group:vars] or [group:children]",
                next=did_you_mean(kind, KINDS),
            )
        group = self.draft.group(name, _right(at, 1))
        if kind == "vars":
            self.pending.setdefault(name, (_right(at, 1), f"[{name}:vars] needs a [{name}] section"))
        else:
            self.declared.add(name)
        return group, kind

    def host_line(self, group: Owner, line: str, at: Position) -> None:
        try:
            (host, _), *rest = words(line)
        except UnbalancedQuote as error:
            raise InputError(
                "a quote is not closed", where=_right(at, error.index), next="quote the whole value: name='a value'"
            ) from None
        names, port = parse_host(host, at)
        owners = [self.draft.host(name, at, group) for name in names]
        if port is not None:
            for owner in owners:
                self.draft.set(owner, "ansible_port", port, at)
        given: dict[str, tuple[Any, Position]] = {}
        for word, column in rest:
            name, equals, value = word.partition("=")
            if not equals:
                colon = host.endswith(":") or word.endswith(":")
                raise InputError(
                    f"{word!r} is not a variable: name=value",
                    where=_right(at, column),
                    next="a YAML inventory is named *.yml" if colon else "quote a value with spaces: name='a value'",
                )
            given[name] = literal(value), _right(at, column)
        for name, (value, where) in given.items():
            for owner in owners:
                self.draft.set(owner, name, value, where)

    def variable(self, group: Owner, line: str, at: Position) -> None:
        name, equals, value = line.partition("=")
        if not equals:
            raise InputError(f"{line[:60]!r} is not a variable: name=value", where=at)
        self.draft.set(group, name.strip(), literal(value.strip()), at)

    def child(self, group: Owner, line: str, at: Position) -> None:
        match = _CHILD.fullmatch(line)
        if not match:
            raise InputError(f"{line[:60]!r} is not the name of a group", where=at, next="write one name a line")
        child = self.draft.group(match[1], at).name
        self.draft.child(group, child, at)
        self.pending.setdefault(child, (at, f"[{group.name}:children] names it, but it has no section"))

    def declare(self, name: str) -> str:
        return did_you_mean(name, self.declared - {name}) or f"add a section [{name}], or remove the line"


def _right(at: Position, columns: int) -> Position:
    return Position(at.file, at.line, at.column + columns)
