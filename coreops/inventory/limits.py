"""``--limit``: a pattern whose parts may also be ``@file``, a file with one pattern a line."""

from __future__ import annotations

from pathlib import Path

from coreops.inventory.files import expand_home, read_text
from coreops.inventory.patterns import Names, select, split
from coreops.model import Position


def limited(limit: str, names: Names) -> set[str]:
    """Return the hosts that ``limit`` allows. Raises InputError."""
    where = f"limit {limit!r}"
    parts: list[str] = []
    for part in split(limit, names.hosts):
        if part.startswith("@"):
            parts += _lines(expand_home(Path(part[1:])), names)
        else:
            parts.append(part)
    return set(select(parts, names, where))


def _lines(path: Path, names: Names) -> list[str]:
    found: list[str] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        text = line.strip()
        if text and not text.startswith("#"):
            select([text], names, Position(str(path), number))
            found.append(text)
    return found
