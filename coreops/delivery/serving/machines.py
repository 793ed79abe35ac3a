"""Which node a machine is, by what it says of itself. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from coreops.delivery.serving.identity import Kind, check, spelled, swapped
from coreops.errors import InputError
from coreops.model import Position

VARIABLES: Final[dict[str, Kind]] = {"node_mac": "mac", "node_uuid": "uuid", "node_serial": "serial"}
"""Inventory variables that name a machine; a text or a list of texts."""


@dataclass(frozen=True, slots=True)
class Named:
    """A name that an inventory gives a host, as written, and where."""

    host: str
    kind: Kind
    value: object
    position: Position


@dataclass(frozen=True, slots=True)
class Match:
    """Which node a request came from. node None: nobody's. rival: another node that it names as well. by: the name."""

    node: str | None
    rival: str | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Machines:
    """The names of all machines."""

    _nodes: Mapping[tuple[Kind, str], str] = field(repr=False)

    @classmethod
    def of(cls, names: Iterable[Named]) -> Machines:
        """Raises InputError for a name that is none, and for one that two hosts have."""
        seen: dict[tuple[Kind, str], Named] = {}
        for each in names:
            why = check(each.kind, each.value)
            if why is not None:
                raise InputError(f"the {each.kind} of {each.host} names no machine", where=each.position, why=why)
            for key in _keys(each.kind, str(each.value)):
                other = seen.setdefault(key, each)
                if other.host != each.host:
                    raise InputError(
                        f"{other.host} and {each.host} have the same {each.kind}: {key[1]}",
                        where=each.position,
                        why=f"{other.host}: {other.position}" + _order(each, other),
                        next="a machine must be one host",
                    )
        return cls({key: each.host for key, each in seen.items()})

    def hosts(self) -> frozenset[str]:
        """All hosts that have a name."""
        return frozenset(self._nodes.values())

    def find(self, selectors: Iterable[tuple[Kind, str]]) -> Match:
        """The node that a machine's words name. A word that nobody has counts for nothing: a machine has many NICs."""
        match = Match(None)
        for kind, text in selectors:
            value = spelled(kind, text)
            node = self._nodes.get((kind, value)) if value is not None else None
            if node is None:
                continue
            if match.node is None:
                match = Match(node, by=f"{kind} {value}")
            elif match.node != node:
                return Match(match.node, node, match.by)
        return match


def _keys(kind: Kind, value: str) -> tuple[tuple[Kind, str], ...]:
    found = spelled(kind, value)
    assert found is not None, "checked before"
    return ((kind, found), (kind, swapped(found))) if kind == "uuid" else ((kind, found),)


def _order(one: Named, other: Named) -> str:
    if one.kind != "uuid" or spelled("uuid", str(one.value)) == spelled("uuid", str(other.value)):
        return ""
    return " (the same bytes, in the other order of the first three fields)"
