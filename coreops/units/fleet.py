"""The section ``[X-Fleet]`` of a unit, with all that fleet made of it: old spellings, several values on a line,
specifiers, and the combinations that it refused. Pure.

Stricter than fleet in one way: what fleet passed over in silence (metadata that is not key=value, a pattern that is
none, an empty machine id) is an error here, as the unit would run where its author did not want it, or never.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

from coreops.errors import InputError, did_you_mean
from coreops.model import Position
from coreops.units import glob, names
from coreops.units.names import Name
from coreops.units.placement import Wish
from coreops.units.unit_file import Option, UnitFile

SECTION = "X-Fleet"
OLD = {
    "X-ConditionMachineID": "MachineID",
    "X-ConditionMachineBootID": "MachineID",
    "X-ConditionMachineOf": "MachineOf",
    "X-ConditionMachineMetadata": "MachineMetadata",
    "X-Conflicts": "Conflicts",
}
KNOWN = ("MachineID", "MachineOf", "MachineMetadata", "Conflicts", "Global", "Replaces")
_TRUE = ("true", "yes", "1", "on", "t")
_FALSE = ("false", "no", "0", "off", "f", "")
# What fleet refused: api/units.go, ValidateOptions.
_CONTRADICT = (
    *product(("MachineID",), ("MachineOf", "Conflicts", "Global", "Replaces")),
    *product(("Global",), ("MachineOf", "Replaces")),
    ("Conflicts", "Replaces"),
)
_WHY = {
    ("MachineID", "MachineOf"): "the machine is fixed already",
    ("MachineID", "Conflicts"): "the machine is fixed already, so there is nowhere to go",
    ("MachineID", "Global"): "a global unit runs on every machine",
    ("MachineID", "Replaces"): "the machine is fixed already",
    ("Global", "MachineOf"): "a global unit runs on every machine",
    ("Global", "Replaces"): "a global unit runs on every machine",
    ("Conflicts", "Replaces"): "one keeps away from the other unit, the other takes its place",
}


def wish(file: UnitFile, name: Name, *, new: bool = True) -> Wish:
    """What a unit asks of the machine it runs on. Raises InputError with file:line.

    new: of one that was taken before, not more is asked than was asked then.
    """
    values: dict[str, list[tuple[str, Option]]] = {key: [] for key in KNOWN}
    old_ids: list[tuple[str, Option]] = []
    for option in file.options:
        if option.section != SECTION:
            continue
        key = OLD.get(option.name, option.name)
        if key not in values:
            hint = did_you_mean(option.name, (*KNOWN, *OLD)) or f"known: {', '.join(KNOWN)}"
            raise InputError(f"[{SECTION}] has no {option.name}", where=option.at, next=hint)
        into = old_ids if key == "MachineID" and option.name != key else values[key]
        into += [(name.fill(value), option) for value in several(option.value)]
    values["MachineID"] += old_ids  # the new spelling wins
    for value, option in values["Global"] if new else ():
        if value.lower() not in (*_TRUE, *_FALSE):
            why = "fleet takes it for no, and the unit runs on one machine"
            raise InputError(
                f"Global is neither yes nor no: {value!r:.60}", where=option.at, why=why, next="write true"
            )
    everywhere = bool(values["Global"]) and values["Global"][-1][0].lower() in _TRUE
    metadata: dict[str, frozenset[str]] = {}
    for value, option in values["MachineMetadata"]:
        key, found = _pair(value, option, new)
        metadata[key] = metadata.get(key, frozenset()) | {found}
    made = Wish(
        name=name.full,
        machine_id=_machine(values["MachineID"]),
        machine_of=_unique(_peers(values["MachineOf"])),
        metadata=metadata,
        conflicts=_unique(_patterns(values["Conflicts"], split=True)),
        replaces=_unique(_patterns(values["Replaces"], split=False)),
        everywhere=everywhere,
    )
    _check(made, lambda key: values[key][-1][1].at)
    return made


def several(line: str) -> list[str]:
    """``"a=b" "c=d"`` is two values; a line without quotes at both ends is one, blanks and all."""
    if len(line) < 2 or not (line.startswith('"') and line.endswith('"')):
        return [line]
    found, part, inside = [], "", False
    for letter in line:
        if letter == '"':
            inside = not inside
        elif letter == " " and not inside:
            found.append(part)
            part = ""
        else:
            part += letter
    return [*found, part]


def _machine(values: Sequence[tuple[str, Option]]) -> str:
    """The first one wins."""
    for value, option in values[:1]:
        if not value:
            raise InputError(
                "MachineID is empty", where=option.at, why="no machine has that id", next="remove the line"
            )
        return value
    return ""


def _peers(values: Sequence[tuple[str, Option]]) -> list[str]:
    for value, option in values:
        if len(value.split()) > 1:
            why = "fleet takes it for the name of one unit"
            raise InputError("MachineOf holds blanks", where=option.at, why=why, next="write one MachineOf= for each")
        names.read(value, option.at)
    return [value for value, _ in values]


def _pair(value: str, option: Option, new: bool) -> tuple[str, str]:
    key, _, found = value.partition("=")
    if value.count("=") != 1 or not key or not found or (new and '"' in value):
        quoted = " ".join(f'"{word}"' for word in value.split()) if len(value.split()) > 1 else '"region=us-east-1"'
        raise InputError(
            f"MachineMetadata is not key=value: {value!r:.60}",
            where=option.at,
            why="fleet passes over it in silence, and the unit runs anywhere",
            next=f"write it like MachineMetadata={quoted}",
        )
    return key, found


def _patterns(values: Sequence[tuple[str, Option]], *, split: bool) -> list[str]:
    found = []
    for value, option in values:
        for pattern in value.split() if split else [value]:
            try:
                glob.compiled(pattern)
            except ValueError as error:
                what = f"{option.name} is not a pattern: {pattern!r:.60}"
                raise InputError(what, where=option.at, why=str(error), next="write it like web@*.service") from error
            if not pattern or " " in pattern:
                raise InputError(f"{option.name} is not a pattern: {pattern!r:.60}", where=option.at)
            found.append(pattern)
    return found


def _check(made: Wish, at: Callable[[str], Position]) -> None:
    used = {
        "MachineID": made.machine_id,
        "MachineOf": made.machine_of,
        "Conflicts": made.conflicts,
        "Global": made.everywhere,
        "Replaces": made.replaces,
    }
    for one, other in _CONTRADICT:
        if used[one] and used[other]:
            place = max(at(one), at(other), key=lambda found: found.line)
            what = f"{one} cannot be used with {other}"
            raise InputError(what, where=place, why=_WHY[one, other], next="remove one of the two")
    for word, patterns in (("Conflicts", made.conflicts), ("Replaces", made.replaces)):
        for peer, pattern in product(made.machine_of, patterns):
            if glob.matches(pattern, peer):
                why = f"{peer} is named by MachineOf and by {word}={pattern}"
                raise InputError(f"MachineOf and {word} contradict each other", where=at(word), why=why)
    if made.name in made.machine_of:
        raise InputError("MachineOf names the unit itself", where=at("MachineOf"), next="remove the line")


def _unique(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
