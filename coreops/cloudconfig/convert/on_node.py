"""Addresses that a node reads itself, under Ignition: coreos-metadata writes them, and services take them from there.

systemd replaces a variable in command lines and nowhere else; such a line hands etcd its options.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from coreops.cloudconfig.convert import metadata
from coreops.cloudconfig.convert.modern import MEMBER
from coreops.cloudconfig.convert.note import Note
from coreops.cloudconfig.convert.parts import below, items, put, put_below, text
from coreops.cloudconfig.convert.units import UNITS
from coreops.cloudconfig.marked import Marked, mark
from coreops.cloudconfig.platforms.platform import Platform
from coreops.cloudconfig.platforms.substitution import uses
from coreops.errors import InputError

IGNITION = ("ignition", "butane")
_DROP_IN = "30-coreops-addresses.conf"
_OPTIONS = "/run/coreops/etcd-member.env"
# systemd reads files of variables anew for each command, so what the second one wrote is there for ExecStart.
_WRITES = f"""EnvironmentFile=-{_OPTIONS}
ExecStartPre=/usr/bin/mkdir -p /run/coreops
ExecStartPre=/bin/sh -c 'printf "%%s\\n" "$$@" >{_OPTIONS}' sh"""
_GOES_ON = "\\\n    "
_SAFE = re.compile(r"[A-Za-z0-9_@%+=:,./${}\[\]?&~-]*")
_COMMAND = re.compile(r"[ \t]*Exec\w+[ \t]*=")


@dataclass(frozen=True, slots=True)
class Places:
    """Where a document goes, and what is known there."""

    target: str
    platform: Platform
    addresses: Mapping[str, str]

    @property
    def variables(self) -> Mapping[str, str]:
        """What a unit can read on the node, by the name of the address; not what is given."""
        known = metadata.VARIABLES.get(self.platform.name, {}) if self.target in IGNITION else {}
        return {name: variable for name, variable in known.items() if name not in self.addresses}


def read_on_node(tree: Marked, places: Places, notes: list[Note]) -> Marked:
    """Return the document with variables of systemd for addresses, wherever a service can use them."""
    return _units(_store(tree, places, notes), places, notes) if places.variables else tree


def _open(content: str, places: Places) -> bool:
    return any(not use.escaped and not use.prefix_of and use.variable in places.variables for use in uses(content))


def _expanded(content: str, places: Places) -> str:
    """The text with variables of systemd in place of addresses."""
    parts, done = [], 0
    for use in uses(content):
        if use.escaped or use.prefix_of or use.variable not in places.variables:
            continue
        parts += [content[done : use.index], f"${{{places.variables[use.variable]}}}"]
        done = use.index + 1 + len(use.variable)
    return "".join([*parts, content[done:]])


def _store(tree: Marked, places: Places, notes: list[Note]) -> Marked:
    """Options of etcd that hold an address: systemd expands it on a command line, which writes them to a file."""
    options = below(tree, "coreos", "etcd_member")
    found = {key: each for key, each in (options.value if options else {}).items() if _open(str(each.value), places)}
    if options is None or not found:
        return tree
    words = [f'"ETCD_{key.upper()}={_word(each, places)}"' for key, each in found.items()]
    why = f"the address is read on the node, from {metadata.FILE}, by a drop-in of {MEMBER}"
    notes += [Note("changed", f"coreos.etcd2.{key}", why, each.place) for key, each in found.items()]
    content = f"{metadata.UNIT}\n{metadata.SERVES}{_WRITES}{''.join(f' {_GOES_ON}{word}' for word in words)}\n"
    kept = {key: each for key, each in options.value.items() if key not in found}
    tree = put_below(tree, ("coreos", "etcd_member"), replace(options, value=kept) if kept else None)
    units = list(items(tree, *UNITS))
    at = next((number for number, unit in enumerate(units) if text(unit, "name") == MEMBER), None)
    if at is None:
        units.append(_with_drop_in(mark({"name": MEMBER}, options.place), content))
    else:
        units[at] = _with_drop_in(units[at], content)
    return put_below(tree, UNITS, Marked(tuple(units), tree.at(UNITS)))


def _word(option: Marked, places: Places) -> str:
    """An option's value between double quotes on a command line of systemd, and in a file of variables after that."""
    done = _expanded(str(option.value), places)
    if not _SAFE.fullmatch(done):
        raise InputError(
            "an option of etcd with an address and with a blank, a quote or the like in it",
            where=option.place,
            next="give the address with --address, or take the characters out",
        )
    return done.replace("%", "%%")


def _units(tree: Marked, places: Places, notes: list[Note]) -> Marked:
    """Services whose command lines hold an address read it from the file of coreos-metadata."""
    if below(tree, *UNITS) is None:
        return tree
    units = tuple(_unit(unit, places, notes) for unit in items(tree, *UNITS))
    return put_below(tree, UNITS, Marked(units, tree.at(UNITS)))


def _unit(unit: Marked, places: Places, notes: list[Note]) -> Marked:
    if not text(unit, "name").endswith(".service"):
        return unit
    new = _commands(unit, places)
    if below(new, "drop_ins") is not None:
        parts = tuple(_commands(each, places) for each in items(new, "drop_ins"))
        new = put(new, "drop_ins", Marked(parts, new.at(["drop_ins"])))
    if not _names(new, places) > _names(unit, places):
        return new
    why = f"its command lines read the address on the node, from {metadata.FILE}"
    notes.append(Note("changed", f"coreos.units[{text(unit, 'name')}]", why, unit.at(["content"])))
    return _with_drop_in(new, f"{metadata.UNIT}\n{metadata.SERVES}")


def _names(unit: Marked, places: Places) -> set[str]:
    """The variables of coreos-metadata that a unit uses."""
    contents = [text(each, "content") for each in (unit, *items(unit, "drop_ins"))]
    return {name for name in places.variables.values() if any(name in content for content in contents)}


def _commands(holder: Marked, places: Places) -> Marked:
    """A unit's text with variables in its command lines; a line that ends in a backslash goes on."""
    lines, inside = [], False
    for line in text(holder, "content").split("\n"):
        if line.lstrip().startswith(("#", ";")):
            lines.append(_kept(line, places))
            continue
        begins = bool(_COMMAND.match(line))
        lines.append(_renamed(_expanded(line, places), places) if begins or inside else line)
        inside = (begins or inside) and line.endswith("\\")
    new = "\n".join(lines)
    return put(holder, "content", new) if new != text(holder, "content") else holder


def _renamed(line: str, places: Places) -> str:
    """A command line that used what coreos-cloudinit wrote to /etc/environment uses what coreos-metadata writes."""
    for name, variable in places.variables.items():
        line = re.sub(rf"\bCOREOS_{name.upper()}\b", variable, line)
    return line


def _kept(line: str, places: Places) -> str:
    """A comment, in which a variable does no harm."""
    for name in places.variables:
        line = re.sub(rf"(?<!\\)\${name}", rf"\\${name}", line)
    return line


def _with_drop_in(unit: Marked, content: str) -> Marked:
    if any(text(each, "name") == _DROP_IN for each in items(unit, "drop_ins")):
        return unit
    drop_in = mark({"name": _DROP_IN, "content": content}, unit.place)
    return put(unit, "drop_ins", Marked((*items(unit, "drop_ins"), drop_in), unit.at(["drop_ins"])))
