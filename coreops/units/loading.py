"""From what an operator names, ``web@1..3.service`` or a path, to units that were read and checked. Reads files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from coreops.errors import InputError, did_you_mean
from coreops.units import fleet, names, unit_file
from coreops.units.names import Name
from coreops.units.placement import Wish
from coreops.units.unit_file import UnitFile

_MOST = 256 * 1024


@dataclass(frozen=True, slots=True)
class Loaded:
    """One unit. text: the file as it is. wish: what its [X-Fleet] asks for."""

    name: Name
    file: UnitFile
    text: str
    wish: Wish


def load(paths: Sequence[Path]) -> tuple[Loaded, ...]:
    """Read all units that are named; an instance without a file of its own comes from its template's.

    Raises InputError.
    """
    found: dict[str, Loaded] = {}
    for path in paths:
        for unit in _each(path):
            if unit.name.full in found:
                raise InputError(f"{unit.name.full} is named twice", where=path, next="name each unit once")
            found[unit.name.full] = unit
    return tuple(found.values())


def named(words: Sequence[str]) -> tuple[str, ...]:
    """The names of units, with or without a path before them. Raises InputError."""
    found: dict[str, None] = {}
    for word in words:
        for name in names.expand(word.rpartition("/")[2], word):
            found[names.read(name, word).full] = None
    return tuple(found)


def _each(path: Path) -> Iterator[Loaded]:
    texts: dict[Path, str] = {}
    for each in names.expand(path.name, path):
        name = names.read(each, path)
        if name.is_template:
            hint = f"name its instances, like {name.prefix}@1..3.{name.type}"
            raise InputError(f"{name.full} is a template", where=path, why="only instances of it can run", next=hint)
        own, template = path.with_name(each), path.with_name(name.template or each)
        source = own if own.exists() or not name.at else template
        if source not in texts:
            texts[source] = _read(source)
        file = unit_file.parse(texts[source], str(source))
        if not file.options:
            raise InputError("there is nothing in this unit", where=source)
        yield Loaded(name, file, texts[source], fleet.wish(file, name))


def _read(path: Path) -> str:
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise InputError("not a file", where=path, why="a pipe or a device: nobody knows when it ends")
        with path.open("rb") as stream:
            data = stream.read(_MOST + 1)
    except OSError as error:
        near = [each.name for each in path.parent.iterdir() if each.is_file()] if path.parent.is_dir() else []
        hint = did_you_mean(path.name, near)
        raise InputError("cannot read the unit", where=path, why=error.strerror, next=hint) from error
    if len(data) > _MOST:
        raise InputError("too large for a unit file", where=path, why=f"more than {_MOST} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError("not UTF-8", where=f"{path}:{line}", why="systemd reads unit files as UTF-8") from error
