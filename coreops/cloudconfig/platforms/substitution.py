r"""``$private_ipv4`` and its kin, as coreos-cloudinit finds them: in the raw text, before any YAML, by prefix.

``\$private_ipv4`` stays a literal ``$private_ipv4``. A variable without a value is an error here, never an empty text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from coreops.cloudconfig.platforms.platform import VARIABLES, Platform
from coreops.errors import InputError
from coreops.model import Position

_USE = re.compile(r"(\\?)\$(" + "|".join(VARIABLES) + r")(\w?)")


@dataclass(frozen=True, slots=True)
class Use:
    """A variable in a text. index: of its ``$``. prefix_of: the longer word that it is only the beginning of."""

    variable: str
    index: int
    escaped: bool
    prefix_of: str = ""


def uses(text: str) -> Iterator[Use]:
    """Find the variables in a text, in order."""
    for match in _USE.finditer(text):
        longer = re.match(r"\w+", text[match.start(2) :]) if match[3] else None
        yield Use(match[2], match.start() + len(match[1]), bool(match[1]), longer[0] if longer else "")


def place(text: str, index: int, file: str) -> Position:
    """Where in a file the character at ``index`` is."""
    before = text[:index]
    return Position(file, before.count("\n") + 1, index - before.rfind("\n"))


def resolve(
    text: str, platform: Platform, addresses: Mapping[str, str], file: str = "user-data", *, by_node: bool = True
) -> str:
    """Fill in what the inventory knows; leave to the node what it surely fills in itself.

    addresses: variable name (``private_ipv4``) -> address. by_node: the result goes through coreos-cloudinit, which
    substitutes and takes escapes off; any other reader would see ``$private_ipv4`` as it is. Raises InputError, with
    the first use's place, for a variable that nobody knows, for an address that is none, and for a word of which a
    variable is only the beginning.
    """
    parts, done = [], 0
    for use in uses(text):
        start = use.index - 1 if use.escaped else use.index
        parts += [text[done:start], _value(use, platform, addresses, place(text, use.index, file), by_node)]
        done = use.index + 1 + len(use.variable)
    return "".join([*parts, text[done:]])


def _value(use: Use, platform: Platform, addresses: Mapping[str, str], where: Position, by_node: bool) -> str:
    name = f"${use.variable}"
    if use.escaped:
        return f"\\{name}" if by_node else name
    if use.prefix_of:
        raise InputError(
            f"${use.prefix_of} would become the value of {name} and {use.prefix_of[len(use.variable) :]!r}",
            where=where,
            why="coreos-cloudinit looks for the beginning of a word (initialize/env.go)",
            next=f"write \\${use.prefix_of} to keep it, or give the variable another name",
        )
    if address := addresses.get(use.variable):
        return _checked(address, name, where)
    there = platform.substitutions.get(use.variable)
    if there and there.sure and by_node:
        return name
    if not by_node:
        why = "only coreos-cloudinit substitutes on the node"
    else:
        why = f"it may have none ({there.origin})" if there else "it has no such substitution"
        why = f"{platform.name}: {why}; an empty text would be put in its place"
    raise InputError(
        f"nobody knows {name} on {platform.name}",
        where=where,
        why=why,
        next=f"give the host its address in the inventory, or write \\{name} to keep the text",
    )


def _checked(address: str, name: str, where: Position) -> str:
    try:
        version = ip_address(address).version
    except ValueError as error:
        raise InputError(f"the value of {name} is no address", where=where, why=str(error)) from None
    if not name.endswith(f"v{version}"):
        raise InputError(f"the value of {name} is an address of IPv{version}", where=where, why=address)
    return address
