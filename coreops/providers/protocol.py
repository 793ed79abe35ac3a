"""What every provider of machines offers, and the words it speaks. No I/O, and no knowledge of any one provider.

A provider brings machines into being. Its machines carry a *mark*, a digest of cluster and node, so that a create
which was cut off finds the machine it made, and no machine of somebody else is ever touched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from coreops.model import Position

MachineState = Literal["pending", "running", "stopped"]
Action = Literal["create", "start", "replace", "keep", "remove", "reachable", "unreachable", "duplicate"]
"""What has to happen; the last three say how a machine stands that coreops does not make, where it was asked."""
Power = Literal["on", "off", "reset"]
ADDRESSES = ("private_ipv4", "public_ipv4", "private_ipv6", "public_ipv6")
"""The kinds of addresses; so are the variables called that user-data and playbooks ask for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One machine as the inventory wants it. settings: the provider's own variables (``ec2_type``), untyped here."""

    node: str
    cluster: str
    user_data: bytes = field(repr=False)
    settings: Mapping[str, Any]
    where: Position


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine as observed.

    id: the provider's own name for it. addresses: some of ADDRESSES. facts: what drift compares (type, image, zone,
    and as ``user_data`` the digest of what it was given).
    """

    node: str
    id: str
    state: MachineState
    addresses: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What has to happen to one node, and why. calls: what ``--check`` prints."""

    node: str
    action: Action
    why: str
    calls: tuple[str, ...] = ()


class Provider(Protocol):
    """Makes, finds and removes machines.

    ``plan`` is pure. ``create`` is idempotent by cluster and node: what is there already is returned, and a machine
    left by a create that was cut off is found and finished, and started when it is stopped. It need not wait until the
    machine runs. ``observe`` returns every machine with the cluster's mark, and no other. ``host_keys`` are lines like
    ``ssh-ed25519 AAAA...``; () when they are not known yet. ``destroy`` of a machine that is gone already is done.
    Errors are CoreopsError: what the provider said is ``why``, verbatim, and ``next`` what the operator can do.
    Several threads call one provider.
    """

    @property
    def name(self) -> str: ...

    def plan(self, wanted: Sequence[Wanted], found: Sequence[Machine]) -> tuple[Change, ...]: ...

    def create(self, wanted: Wanted) -> Machine: ...

    def observe(self, cluster: str) -> tuple[Machine, ...]: ...

    def host_keys(self, machine: Machine) -> tuple[str, ...]: ...

    def console(self, machine: Machine) -> Iterator[bytes]: ...

    def power(self, machine: Machine, power: Power) -> None: ...

    def destroy(self, machine: Machine) -> None: ...


@runtime_checkable
class Finder(Provider, Protocol):
    """A provider that also finds machines by what is not its mark. They are only looked at."""

    def find(self, tags: Mapping[str, str]) -> tuple[Machine, ...]: ...


def mark(cluster: str, node: str) -> str:
    """Return the mark of a node: safe in tags, names and client tokens (40 hex digits)."""
    return hashlib.sha256(f"coreops\0{cluster}\0{node}".encode()).hexdigest()[:40]


def digest(user_data: bytes) -> str:
    """Return the digest of user-data that a machine's facts carry as ``user_data``."""
    return hashlib.sha256(user_data).hexdigest()[:16]
