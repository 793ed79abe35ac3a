"""Host and group names: which ones are allowed, ``host:port``, and ranges such as ``n[01:20]``.

Pure text. A name that passes here is safe as a file name, as a pattern and as an argument of ssh; quoting is still due.
"""

from __future__ import annotations

import ipaddress
import re
import string
from collections.abc import Iterable
from itertools import product

from coreops.errors import InputError, did_you_mean
from coreops.model import Position

MOST_HOSTS = 100_000
"""One range may not make more hosts than this: a typo must not eat the controller's memory."""

_HOST = re.compile(r"\w[\w.:%+-]*|::[\w.:%]*")
_GROUP = re.compile(r"\w[\w. +-]*(?<! )")
_BRACKETED = re.compile(r"\[([^\[\]]+)\]:([^:\[\]]*)")
_RANGE = re.compile(r"\[([^\[\]]*)\]")
_DIGITS = re.compile(r"[0-9]+")


def parse_host(text: str, position: Position) -> tuple[tuple[str, ...], int | None]:
    """Split ``host[:port]`` and expand its ranges. Raises InputError with ``position``."""
    body, port = _split_port(text, position)
    names = expand(body, position) if "[" in body or "]" in body else (body,)
    # a range adds letters and digits only, so the ends of the list speak for all of it
    for name in {names[0], names[-1]}:
        _check_host(name, text, position)
    return names, port


def check_group(name: str, position: Position) -> None:
    """Raise InputError unless ``name`` can be a group's name."""
    if not _GROUP.fullmatch(name):
        raise InputError(
            f"{name!r} is not a group name",
            where=position,
            why="a group name starts with a letter or digit; letters, digits, and _ - . may follow",
        )


def check_variable(name: str, position: Position) -> None:
    """Raise InputError unless ``name`` can be a variable's name; ``ansible-host`` for ``ansible_host`` is a slip."""
    if name.isidentifier():
        return
    bad = not name or any(c.isspace() or not c.isprintable() or c in "=[]{}'\"" for c in name)
    slip = name.startswith("ansible") and "-" in name
    if bad or slip:
        raise InputError(
            f"{name!r} is not a variable name",
            where=position,
            why="it would be ignored" if slip else "a name starts with a letter or _; letters, digits and _ may follow",
            next=did_you_mean(name, [name.replace("-", "_")]) if slip else None,
        )


def is_ipv6(text: str) -> bool:
    """Say whether ``text`` is an IPv6 address (a zone such as %eth0 may follow)."""
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def expand(text: str, position: Position) -> tuple[str, ...]:
    """Expand every ``[begin:end]`` and ``[begin:end:step]`` in ``text``, the rightmost running fastest."""
    parts = _RANGE.split(text)
    if any(c in part for part in parts[::2] for c in "[]"):
        raise _bad_range(text, "a bracket has no partner", position)
    choices: list[Iterable[str]] = []
    count = 1
    for index, part in enumerate(parts):
        values = _sequence(part, text, position) if index % 2 else (part,)
        choices.append(values)
        count *= len(values)
    if count > MOST_HOSTS:
        raise _bad_range(text, f"it makes {count} hosts, more than {MOST_HOSTS}", position)
    return tuple(map("".join, product(*choices)))


def _sequence(body: str, text: str, position: Position) -> tuple[str, ...]:
    begin, *rest = body.split(":")
    end, step = rest[0] if rest else "", rest[1] if len(rest) == 2 else "1"
    if len(rest) not in (1, 2) or not end:
        raise _bad_range(text, f"[{body}] is not [begin:end] or [begin:end:step]", position)
    begin = begin or "0"
    if not _DIGITS.fullmatch(step) or int(step[:9]) == 0:
        raise _bad_range(text, f"the step {step!r} is not a positive number", position)
    if len(begin) == len(end) == 1 and begin in string.ascii_letters and end in string.ascii_letters:
        first, last = (string.ascii_letters.index(letter) for letter in (begin, end))
        letters = tuple(string.ascii_letters[first : last + 1 : int(step[:9])])
        if not letters:
            raise _bad_range(text, f"{begin} comes after {end}", position)
        return letters
    if not (_DIGITS.fullmatch(begin) and _DIGITS.fullmatch(end)) or max(len(begin), len(end)) > 18:
        raise _bad_range(text, f"{begin}:{end} are neither two numbers nor two letters", position)
    width = len(begin) if begin[0] == "0" and len(begin) > 1 else 0
    if width and width != len(end):
        raise _bad_range(text, f"{begin} and {end} differ in length", position)
    numbers = range(int(begin), int(end) + 1, int(step[:9]))
    if not numbers:
        raise _bad_range(text, f"{begin} comes after {end}", position)
    if len(numbers) > MOST_HOSTS:
        raise _bad_range(text, f"it makes {len(numbers)} hosts, more than {MOST_HOSTS}", position)
    return tuple(str(number).zfill(width) for number in numbers)


def _split_port(text: str, position: Position) -> tuple[str, int | None]:
    if (match := _BRACKETED.fullmatch(text)) and is_ipv6(match[1]):
        return match[1], _port(match[2], text, position)
    if text[:1] == "[" and is_ipv6(text.strip("[]")):
        raise InputError(
            f"{text!r} is not a host name", where=position, next="write an IPv6 address bare, or as [address]:port"
        )
    outside = _RANGE.sub(lambda match: "0" * len(match[0]), text)
    if outside.count(":") != 1:
        return text, None
    colon = outside.index(":")
    return text[:colon], _port(text[colon + 1 :], text, position)


def _port(digits: str, text: str, position: Position) -> int:
    if _DIGITS.fullmatch(digits) and len(digits) < 6 and 0 < int(digits) < 65536:
        return int(digits)
    raise InputError(f"{digits!r} in {text!r} is not a port", where=position, why="a port is a number from 1 to 65535")


def _check_host(name: str, text: str, position: Position) -> None:
    if _HOST.fullmatch(name) and (":" not in name or is_ipv6(name)):
        return
    if name == "---":
        why = "--- is how YAML begins, and this file is read as INI"
    elif "@" in name:
        why = "the user of a connection has a variable of its own: ansible_user"
    else:
        why = "a host name starts with a letter or digit; letters, digits, and . _ - may follow"
    raise InputError(f"{text!r} is not a host name", where=position, why=why)


def _bad_range(text: str, why: str, position: Position) -> InputError:
    return InputError(
        f"{text!r} is not a range of hosts",
        where=position,
        why=why,
        next="write it like n[01:20] or n[a:f] or n[0:8:2]",
    )
