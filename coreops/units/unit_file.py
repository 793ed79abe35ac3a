"""A systemd unit file as systemd reads it, with the line of every option. Pure: text in, options out.

Continuation lines, comments (also between continued lines), repeated keys, empty assignments that forget what came
before, blanks at the ends, a byte order mark. What systemd would skip with a warning is an error here: nobody reads
that warning on a node that starts the unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from coreops.errors import InputError
from coreops.model import Position

_BLANKS = " \t\n\r\f\v"
_MOST = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Option:
    """``Name=value`` in a section."""

    section: str
    name: str
    value: str
    at: Position = field(default_factory=lambda: Position(""))


@dataclass(frozen=True, slots=True)
class UnitFile:
    """The options of one file, in their order."""

    options: tuple[Option, ...]
    path: str = ""

    def get(self, section: str, name: str) -> tuple[Option, ...]:
        """The options of one name that count: an empty one forgets those before it."""
        found: list[Option] = []
        for option in self.options:
            if option.section == section and option.name == name:
                found = [*found, option] if option.value else []
        return tuple(found)

    def last(self, section: str, name: str, default: str = "") -> str:
        """The value of an option that is used once."""
        found = self.get(section, name)
        return found[-1].value if found else default

    def without(self, *sections: str) -> UnitFile:
        """What is left when some sections are taken out."""
        return UnitFile(tuple(option for option in self.options if option.section not in sections), self.path)


def parse(text: str, path: str = "") -> UnitFile:
    """Read one file. Raises InputError with file:line."""
    if len(text) > _MOST:
        raise InputError("too large for a unit file", where=path, why=f"{len(text)} characters", next="is it one?")
    section = ""
    found: list[Option] = []
    for number, line in _lines(text.removeprefix("\ufeff"), path):
        at = Position(path, number)
        if line.startswith("["):
            if not line.endswith("]") or len(line) < 3:
                raise InputError(f"not a section: {line!r:.60}", where=at, next="write it like [Service]")
            section = line[1:-1]
            continue
        name, equals, value = line.partition("=")
        name, value = name.rstrip(_BLANKS), value.strip(_BLANKS)
        if not equals or not name:
            why = "systemd would skip this line with a warning"
            raise InputError(f"not an option: {line!r:.60}", where=at, why=why, next="write it like Name=value")
        if not section:
            why = "systemd would skip it with a warning"
            raise InputError(f"{name} is in no section", where=at, why=why, next="put [Unit] or [Service] above it")
        found.append(Option(section, name, value, at))
    return UnitFile(tuple(found), path)


def render(options: Iterable[Option]) -> str:
    """Options as a file that reads the same. Their values are as ``parse`` gives them: on one line."""
    lines: list[str] = []
    section = None
    for option in options:
        if option.section != section:
            lines += ([""] if lines else []) + [f"[{option.section}]"]
            section = option.section
        lines.append(f"{option.name}={option.value}")
    return "\n".join(lines) + "\n" if lines else ""


def _lines(text: str, path: str) -> Iterable[tuple[int, str]]:
    """Logical lines, each with the number of its first one."""
    parts: list[str] = []
    first = 0
    physical: Sequence[str] = text.split("\n")
    for number, raw in enumerate(physical, 1):
        for letter in raw:
            if letter == "\0" or 0xD800 <= ord(letter) < 0xE000:
                raise InputError("a character that no unit file can hold", where=Position(path, number))
        line = raw.strip(_BLANKS)
        if line[:1] in ("#", ";") and line:
            continue
        if not parts and not line:
            continue
        first = first if parts else number
        if _continues(line):
            parts.append(line[:-1] + " ")
            continue
        whole = ("".join(parts) + line).strip(_BLANKS)
        parts = []
        if whole:
            yield first, whole
    if parts and (whole := "".join(parts).strip(_BLANKS)):
        yield first, whole


def _continues(line: str) -> bool:
    """A backslash at the end that is not itself escaped."""
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1
