"""What the arguments of an ``ssh`` command line mean for coreops. Pure.

The paramiko transport gets what it can honour as typed options; what only the ssh program can do is named in
``foreign``. Turning host key checks off is refused everywhere.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

from coreops.errors import InputError
from coreops.model import Position

_STRICT = ("yes", "true")
_FLAGS = {"i": "identityfile", "J": "proxyjump", "p": "port", "l": "user"}
_NAMED = {"identityfile", "proxyjump", "port", "user", "userknownhostsfile", "connecttimeout"}
_WITH_VALUE = "BbcDEeFIiJLlmOopQRSWw"
# without effect here: one connection a host, no terminal, keepalives of our own
_HARMLESS = {
    *("controlmaster", "controlpersist", "controlpath", "serveraliveinterval", "serveralivecountmax", "tcpkeepalive"),
    *("loglevel", "batchmode", "compression", "identitiesonly", "requesttty", "passwordauthentication"),
    *("numberofpasswordprompts", "kbdinteractiveauthentication", "checkhostip"),
}
_HARMLESS_FLAGS = "CqTvaxn"


@dataclass(slots=True)
class SshArgs:
    """The meaning of ssh arguments. options: by lower-case name. foreign: arguments only the ssh program honours."""

    options: dict[str, list[str]] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)


def split_args(text: str, where: Position) -> tuple[str, ...]:
    """Split an argument string as a shell does."""
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise InputError("ssh arguments cannot be split", where=where, why=str(error), next="close the quote") from None


def understand(args: tuple[str, ...], where: Position) -> SshArgs:
    """Sort arguments into options and foreign ones. Raises InputError for one that weakens host key checks."""
    result = SshArgs()
    for name, value, written in _options(args, where):
        if name == "stricthostkeychecking":
            if value.lower() not in _STRICT:
                raise _not_strict(f"StrictHostKeyChecking={value}", where)
        elif name in ("userknownhostsfile", "globalknownhostsfile") and value.startswith("/dev/null"):
            if name == "userknownhostsfile":
                raise _not_strict(f"UserKnownHostsFile={value}", where)
        elif name in _NAMED:
            result.options.setdefault(name, []).append(value)
        elif name not in _HARMLESS:
            result.foreign.append(written)
    return result


def _options(args: tuple[str, ...], where: Position) -> Iterator[tuple[str, str, str]]:
    """Yield (lower-case option name, value, as written)."""
    rest = iter(args)
    for arg in rest:
        if len(arg) < 2 or arg[0] != "-" or arg == "--":
            raise InputError(f"{arg!r} is not an ssh option", where=where, next="quote a value that has spaces")
        letter, value = arg[1], arg[2:]
        written = arg
        if letter in _WITH_VALUE:
            if not value:
                value = next(rest, "")
                written = f"{arg} {value}"
            if not value:
                raise InputError(f"{arg!r} needs a value", where=where)
        if letter == "o":
            name, value = _name_value(value)
            yield name.lower(), value, written
        elif letter in _FLAGS:
            yield _FLAGS[letter], value, written
        elif not all(each in _HARMLESS_FLAGS for each in arg[1:]):
            yield "-" + letter, value, written


def _name_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or " " in name.strip():
        name, _, value = text.strip().partition(" ")
        value = value.strip().removeprefix("=")
    return name.strip(), value.strip()


def _not_strict(option: str, where: Position) -> InputError:
    return InputError(
        f"{option} is refused",
        where=where,
        why="coreops never connects to a host whose key it does not know",
        next="remove it; put the keys into known_hosts beside the inventory, or record them once with --accept-new",
    )
