"""What a value may be, as data, and the reader of the short notation in which the tables of keys are written.

Knows no key and no document. In the notation::

    text int number bool null any    a value of that type       int 0+    not less than 0
    'off'  true  false               exactly that               /re/      a text that matches all of it
    uri host date path               a text of that form        $name     what another line of the table says
    [text] 1+ unique                 a list: how many, and whether each only once; [..] 2-2 is exactly two
    {a: int, b!: text, c~: bool}     a mapping: b is needed, c is of the past; {*: text} takes any key
    {d@3.2: int}                     d is there since 3.2
    a | b                            the one or the other       text~     taken, but of the past
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from coreops.cloudconfig.validate.tree import Kind

FORMS: Final = {
    "uri": (r"[A-Za-z][A-Za-z0-9+.-]*:\S+", "a URL"),
    "host": (r"(?=.{1,253}\.?$)[A-Za-z0-9_]([A-Za-z0-9_.:-]*[A-Za-z0-9_])?\.?", "a host name"),
    "date": (r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", "a date like 2032-09-01"),
    "path": (r"/.*", "an absolute path"),
}
_KINDS: Final[Mapping[str, tuple[Kind, ...]]] = {
    "text": ("text",),
    "int": ("int",),
    "number": ("int", "float"),
    "bool": ("bool",),
    "null": ("null",),
    "loose": ("text", "int", "float", "bool", "date"),
}


@dataclass(frozen=True, slots=True)
class Alt:
    """One of the things that a value may be. words: the only valid ones; low, most: of a number or of how many."""

    kind: Kind
    words: tuple[str, ...] = ()
    pattern: str = ""
    like: str = ""
    low: int | None = None
    most: int | None = None
    unique: bool = False
    old: bool = False
    item: Shape = ()
    fields: Mapping[str, Field] = field(default_factory=lambda: MappingProxyType({}))
    others: Shape | None = None
    others_like: str = ""


Shape = tuple[Alt, ...]
"""What a value may be; empty: anything."""


@dataclass(frozen=True, slots=True)
class Field:
    """A key of a mapping."""

    shape: Shape
    needed: bool = False
    old: bool = False
    since: str = ""


_TOKEN = re.compile(
    r"\s*(?:(?P<word>'[^']*')|(?P<re>/(?:[^/\\]|\\.)+/)|(?P<count>-?\d+\+|\d+-\d+|unique\b)|(?P<since>@[\w.]+)"
    r"|(?P<name>\$?[A-Za-z_][\w./-]*)|(?P<sign>[{}\[\]|():,!~*]))"
)


def words(text: str) -> frozenset[str]:
    """The words of a text as a set."""
    return frozenset(text.split())


def table(lines: Mapping[str, str]) -> Mapping[str, Shape]:
    """Read a table, in order: a line may name those above it. Raises ValueError: a table is part of the program."""
    found: dict[str, Shape] = {}
    for name, notation in lines.items():
        try:
            found[name] = _Reader(notation, found).all()
        except (KeyError, ValueError) as error:
            raise ValueError(f"{name}: {error}") from None
    return MappingProxyType(found)


class _Reader:
    def __init__(self, notation: str, named: Mapping[str, Shape]) -> None:
        self.tokens = list(_tokens(notation))
        self.named = named
        self.next = 0

    def all(self) -> Shape:
        found = self.shape()
        if self.next != len(self.tokens):
            raise ValueError(f"left over: {self.tokens[self.next :][:5]}")
        return found

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.next] if self.next < len(self.tokens) else ("end", "")

    def take(self, *wanted: str) -> str:
        kind, text = self.peek()
        if wanted and text not in wanted and kind not in wanted:
            raise ValueError(f"{text!r} where {' or '.join(wanted)} should be")
        self.next += 1
        return text

    def given(self, sign: str) -> bool:
        if self.peek() == ("sign", sign):
            self.next += 1
            return True
        return False

    def shape(self) -> Shape:
        alts = self.alts()
        while self.given("|"):
            alts += self.alts()
        return alts

    def alts(self) -> Shape:
        kind, text = self.peek()
        self.take("word", "re", "name", "{", "[", "(")
        if text == "(":
            alts = self.shape()
            self.take(")")
        elif text == "{":
            alts = (self.mapping(),)
        elif text == "[":
            alts = (Alt("list", item=() if self.peek()[1] == "]" else self.shape()),)
            self.take("]")
        elif kind == "word":
            alts = (Alt("text", words=(text[1:-1],)),)
        elif kind == "re":
            alts = (Alt("text", pattern=text[1:-1].replace("\\/", "/")),)
        else:
            alts = self.name(text)
        while self.peek()[0] == "count":
            alts = tuple(_counted(alt, self.peek()[1]) for alt in alts)
            self.next += 1
        return tuple(replace(alt, old=True) for alt in alts) if self.given("~") else alts

    def name(self, name: str) -> Shape:
        if name == "any":
            return ()
        if name.startswith("$"):
            return self.named[name[1:]]
        if name in ("true", "false"):
            return (Alt("bool", words=(name,)),)
        if name in FORMS:
            pattern, like = FORMS[name]
            return (Alt("text", pattern=pattern, like=like),)
        return tuple(Alt(kind) for kind in _KINDS[name])

    def mapping(self) -> Alt:
        fields: dict[str, Field] = {}
        others: Shape | None = None
        like = ""
        while not self.given("}"):
            if self.given("*"):
                like = self.take()[1:-1] if self.peek()[0] == "re" else ""
                self.take(":")
                others = self.shape()
            else:
                name = self.take("name", "word").strip("'")
                since = self.take()[1:] if self.peek()[0] == "since" else ""
                needed, old = self.given("!"), self.given("~")
                self.take(":")
                fields[name] = Field(self.shape(), needed, old, since)
            if not self.given(","):
                self.take("}")
                break
        return Alt("mapping", fields=MappingProxyType(fields), others=others, others_like=like)


def _tokens(notation: str) -> Iterator[tuple[str, str]]:
    at = 0
    while notation[at:].strip():
        match = _TOKEN.match(notation, at)
        if match is None:
            raise ValueError(f"not the notation: {notation[at : at + 20]!r}")
        assert match.lastgroup is not None
        yield match.lastgroup, match[match.lastgroup]
        at = match.end()


def _counted(alt: Alt, count: str) -> Alt:
    if count == "unique":
        return replace(alt, unique=True)
    if count.endswith("+"):
        return replace(alt, low=int(count[:-1]))
    low, _, most = count.partition("-")
    return replace(alt, low=int(low), most=int(most))
