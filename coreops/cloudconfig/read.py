"""A host's node: the template of its role, the platform's on it, and the inventory's ``node`` on top. Reads templates
only.

A template is a YAML document in the node's keys whose values may be Jinja2; the caller gives the function that renders
a value with the host's variables. Values are never pasted into YAML text, so nothing in them can be read as YAML.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from coreops.cloudconfig.addresses import settle
from coreops.cloudconfig.marked import Marked, fill, mark, merge, parse
from coreops.cloudconfig.platforms.platform import VARIABLES, Platform
from coreops.errors import InputError, did_you_mean
from coreops.model import Position
from coreops.yaml_marks import decode

ROLES: Final = {
    "member": "one of several hosts of the group store",
    "single": "the only host of the group store",
    "worker": "a host outside the group store",
}
STORE: Final = "store"
NODE: Final = "node"
PLATFORMS: Final = "platforms"
"""The folder, beside the templates of the roles, with those of platforms."""
BIGGEST = 10_000_000


@dataclass(frozen=True, slots=True)
class Variable:
    """An inventory variable, untemplated, and where it is written."""

    value: Any = field(repr=False)
    position: Position


@dataclass(frozen=True, slots=True)
class Host:
    """A host as the reader needs it. render: a value and its place -> the value; ``omit``: what it returns for omit.

    secrets: values that must not be in user-data, by the variables that hold them.
    """

    name: str
    role: str
    variables: Mapping[str, Variable]
    render: Callable[[Any, Position], Any]
    omit: object
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


class Reader:
    """Reads hosts with the templates of one folder; every file is read once."""

    def __init__(self, templates: Path) -> None:
        self.templates = templates
        self._parsed: dict[Path, Marked] = {}
        self._found: dict[Position, Marked] = {}

    def read(self, host: Host, target: str, platform: Platform) -> Marked:
        """Return what the host is to be told, rendered, addresses settled. Raises InputError."""
        found = _filled(self.template(host.role), host)
        overlay = self.overlay(platform)
        if overlay is not None:
            found = merge(found, _filled(overlay, host))
        own = host.variables.get(NODE)
        if own is not None:
            if own.position not in self._found:
                self._found[own.position] = self._located(own)
            written = self._found[own.position]
            if not isinstance(written.value, dict):
                raise InputError(f"{NODE} must be a mapping (host {host.name})", where=own.position)
            more = fill(written, host.render, host.omit)
            found = merge(found, more) if more is not None else found
        try:
            return settle(found, target, platform, _addresses(host))
        except InputError as error:
            what = f"{error.what} (host {host.name})"
            raise InputError(what, where=error.where, why=error.why, next=error.next) from None

    def template(self, role: str) -> Marked:
        """Return the parsed template of a role. Raises InputError."""
        if role not in ROLES:
            raise InputError(
                f"there is no role {role!r}", why=f"roles: {', '.join(ROLES)}", next=did_you_mean(role, ROLES)
            )
        return self._template(self.templates / f"{role}.yml")

    def overlay(self, platform: Platform) -> Marked | None:
        """Return the parsed template of a platform; most need none. Raises InputError."""
        path = self.templates / PLATFORMS / f"{platform.name}.yml"
        return self._template(path) if path in self._parsed or path.exists() else None

    def _template(self, path: Path) -> Marked:
        if path not in self._parsed:
            found = parse(_text(path), str(path))
            if not isinstance(found.value, dict):
                raise InputError("a template must be a mapping", where=found.place)
            self._parsed[path] = found
        return self._parsed[path]

    def _located(self, variable: Variable) -> Marked:
        """The variable with the place of every value in it, where its file is YAML and says the same."""
        path = Path(variable.position.file)
        plain = mark(variable.value, variable.position)
        if path.suffix not in (".yml", ".yaml", ".json", "") or not path.is_file():
            return plain
        if path not in self._parsed:
            try:
                self._parsed[path] = parse(_text(path), str(variable.position.file))
            except InputError:
                # The inventory could read it, perhaps as INI; only the places inside the value are not to be had.
                self._parsed[path] = mark({}, variable.position)
        found = _written_at(self._parsed[path], variable.position)
        return found if found is not None and found.plain == plain.plain else plain


def _filled(template: Marked, host: Host) -> Marked:
    found = fill(template, host.render, host.omit)
    assert found is not None, "a template is a mapping"
    return found


def _written_at(marked: Marked, place: Position) -> Marked | None:
    if place in (marked.key, marked.place) and isinstance(marked.value, dict) and marked.key:
        return marked
    below = marked.value.values() if isinstance(marked.value, dict) else marked.value
    if not isinstance(marked.value, dict | tuple):
        return None
    return next((found for each in below if (found := _written_at(each, place)) is not None), None)


def _addresses(host: Host) -> dict[str, str]:
    found = {}
    for name in VARIABLES:
        variable = host.variables.get(name)
        if variable is not None and (value := host.render(variable.value, variable.position)):
            found[name] = _address(name, value, variable.position)
    return found


def _address(name: str, value: Any, where: Position) -> str:
    from ipaddress import IPv4Address, IPv6Address

    try:
        return str(IPv4Address(value) if name.endswith("4") else IPv6Address(value))
    except ValueError as error:
        raise InputError(f"{name} is not an address", where=where, why=str(error)) from None


def _text(path: Path) -> str:
    try:
        if not path.is_file() and path.exists():
            raise InputError("not a file", where=Position(str(path)))
        if path.stat().st_size > BIGGEST:
            raise InputError(f"larger than {BIGGEST} bytes", where=Position(str(path)))
        return decode(path.read_bytes(), str(path)).removeprefix("\ufeff")
    except OSError as error:
        raise InputError("cannot be read", where=Position(str(path)), why=error.strerror) from None
