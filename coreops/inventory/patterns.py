"""Ansible's host patterns: union ``a:b`` or ``a,b``, ``:&c``, ``:!d``, globs, ``~regex``, ``group[0:2]``. Pure.

Union first, then every ``&``, then every ``!``, whatever the order written. ``all`` when there is no union part.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence

from coreops.errors import InputError, did_you_mean
from coreops.frozen import frozen
from coreops.inventory.names import is_ipv6

_PARTS = re.compile(r"(?:[^:\[\]]|\[[^\]]*\]|[\[\]])+")
_SUBSCRIPT = re.compile(r"(.+)\[(?:(-?[0-9]+)|([0-9]+)[:-]([0-9]*))\]", re.DOTALL)
_GLOB = re.compile(r"[*?\[]")


@frozen
class Names:
    """What a pattern may name. members: all hosts of a group, deep."""

    hosts: Mapping[str, object]
    groups: Sequence[str]
    members: Callable[[str], tuple[str, ...]]


def split(pattern: str, known: Container[str] = ()) -> list[str]:
    """Split a pattern into its parts. Colons inside brackets, IPv6 addresses and ``known`` names do not split."""
    if "," in pattern:
        parts = pattern.split(",")
    elif pattern in known or is_ipv6(pattern.lstrip("!&")):
        parts = [pattern]
    else:
        parts = _PARTS.findall(pattern)
    return [part.strip() for part in parts if part.strip()]


def match(pattern: str, names: Names) -> tuple[str, ...]:
    """Return the hosts a pattern selects, in order. Raises InputError for a name that nothing has."""
    return select(split(pattern, names.hosts), names, f"pattern {pattern!r}")


def select(parts: Iterable[str], names: Names, where: object) -> tuple[str, ...]:
    """Return the hosts that the parts of a pattern select together. ``where`` goes into errors."""
    union: list[str] = []
    required: list[str] = []
    excluded: list[str] = []
    for part in parts:
        bucket = {"&": required, "!": excluded}.get(part[0], union)
        bucket.append(part if bucket is union else part[1:].strip())
    if not (union or required or excluded):
        raise InputError("the pattern is empty", where=where, next="use `all` for every host")
    found = dict.fromkeys(host for part in union or ["all"] for host in _one(part, names, where))
    for part in required:
        wanted = set(_one(part, names, where))
        found = {host: None for host in found if host in wanted}
    for part in excluded:
        for host in _one(part, names, where):
            found.pop(host, None)
    return tuple(found)


def _one(part: str, names: Names, where: object) -> Sequence[str]:
    if part in names.hosts:
        return (part,)
    if part.startswith("~"):
        return _scan(_regex(part[1:], where).match, names, hosts_too=True)
    subscript = _SUBSCRIPT.fullmatch(part)
    base = subscript[1] if subscript else part
    found = _plain_or_glob(base, names, where)
    return _cut(found, subscript, part, where) if subscript else found


def _plain_or_glob(base: str, names: Names, where: object) -> Sequence[str]:
    if _GLOB.search(base):
        return _scan(re.compile(fnmatch.translate(base)).match, names, hosts_too=True)
    if base in names.groups:
        return names.members(base)
    if base in names.hosts:
        return (base,)
    known = [*names.groups, *names.hosts]
    near = did_you_mean(base, known) if len(known) < 2000 else did_you_mean(base, _similar(base, known))
    raise InputError(
        f"no host or group is named {base!r}",
        where=where,
        next=near or "`coreops inventory graph` shows the names there are",
    )


def _similar(word: str, known: Iterable[str]) -> list[str]:
    """Names of about the same length that begin alike: comparing with thousands would take seconds."""
    return [name for name in known if name[:1] == word[:1] and abs(len(name) - len(word)) < 3][:2000]


def _scan(matches: Callable[[str], object], names: Names, *, hosts_too: bool) -> list[str]:
    found = [host for group in names.groups if matches(group) for host in names.members(group)]
    found += [host for host in names.hosts if hosts_too and matches(host)]
    return list(dict.fromkeys(found))


def _cut(found: Sequence[str], subscript: re.Match[str], part: str, where: object) -> Sequence[str]:
    if subscript[2] is None:
        end = int(subscript[4]) + 1 if subscript[4] else len(found)
        return found[int(subscript[3]) : end]
    index = int(subscript[2])
    if -len(found) <= index < len(found):
        return (found[index],)
    raise InputError(f"{part!r} is out of range", where=where, why=f"{subscript[1]!r} selects {len(found)} hosts")


def _regex(text: str, where: object) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise InputError(f"{text!r} is not a regular expression", where=where, why=str(error)) from None
