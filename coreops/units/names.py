"""Names of units: what fleet takes for one, templates and their instances, ``name@1..4`` for a range. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from coreops.errors import InputError, did_you_mean

TYPES = (
    *("automount", "busname", "device", "mount", "path", "scope", "service", "slice"),
    *("snapshot", "socket", "swap", "target", "timer"),
)
TEMPLATES = ("path", "service", "socket", "target", "timer")
LONGEST = 256
MOST = 10_000
_CHARACTERS = re.compile(r"[0-9A-Za-z:_.\\@-]", re.ASCII)
_RANGE = re.compile(r"(?P<prefix>.+)@(?P<first>\d+)\.\.(?P<last>\d+)(?P<suffix>\.[a-z]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Name:
    """``prefix@instance.type``. template: whether there is an @ at all."""

    full: str
    prefix: str
    instance: str
    type: str
    at: bool

    @property
    def is_template(self) -> bool:
        """Only its instances can run."""
        return self.at and not self.instance

    @property
    def template(self) -> str:
        """The template an instance comes from; "" for a plain name."""
        return f"{self.prefix}@.{self.type}" if self.at else ""

    @property
    def short(self) -> str:
        """Without the type."""
        return self.full.rpartition(".")[0]

    def fill(self, text: str) -> str:
        """Replace the specifiers that fleet knows, in fleet's order."""
        for specifier, value in (("%n", self.full), ("%N", self.short), ("%p", self.prefix), ("%i", self.instance)):
            text = text.replace(specifier, value)
        return text


def read(text: str, where: object = None) -> Name:
    """Check a name as fleet does. Raises InputError."""

    def wrong(why: str, next: str = "") -> InputError:
        return InputError(f"{text!r:.80} is not the name of a unit", where=where, why=why, next=next or None)

    short, dot, type_ = text.rpartition(".")
    if not dot or not type_:
        raise wrong("it has no type at its end", f"call it {text.rstrip('.')}.service" if text else "")
    if len(text) > LONGEST:
        raise wrong(f"it has {len(text)} characters, and {LONGEST} is the most")
    if type_ not in TYPES:
        raise wrong(
            f"there are no units of the type {type_!r}", did_you_mean(type_, TYPES) or f"call it {text}.service"
        )
    odd = next((letter for letter in short if not _CHARACTERS.match(letter)), None)
    if odd is not None:
        raise wrong(f"it holds {odd!r}", "escape it with: systemd-escape")
    if not short or short.startswith("@"):
        raise wrong("there is nothing before " + ("the @" if short else "the type"))
    prefix, at, instance = short.partition("@")
    if at and type_ not in TEMPLATES:
        raise wrong(f"a template cannot be a {type_}", f"one of: {', '.join(TEMPLATES)}")
    return Name(text, prefix, instance, type_, bool(at))


def expand(text: str, where: object = None) -> tuple[str, ...]:
    """``web@1..3.service`` is three names; anything else is itself. A missing ``.service`` is filled in."""
    if "." not in text or not re.search(r"\.[a-z]+$", text):
        text += ".service"
    match = _RANGE.fullmatch(text)
    if match is None:
        return (text,)
    first, last = int(match["first"]), int(match["last"])
    if last < first or last - first >= MOST:
        why = "it counts down" if last < first else f"more than {MOST} units"
        raise InputError(f"{text!r:.80} is not a range", where=where, why=why, next="write it like web@1..3.service")
    return tuple(f"{match['prefix']}@{number}{match['suffix']}" for number in range(first, last + 1))


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A key for sorting: web@2 before web@10."""
    parts = re.split(r"(\d+)", text)
    return tuple((0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts if part)
