"""Whether two hosts of an inventory are one machine, or one is the other's clone. Pure: machines that answered in,
pairs out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from coreops.identity.identity import Identity
from coreops.model import Position


@dataclass(frozen=True, slots=True)
class Seen:
    """A host that answered. where: its place in the inventory. claims: the addresses that the inventory says it has."""

    host: str
    identity: Identity
    where: Position | None = None
    claims: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.host} ({self.where})" if self.where else self.host


@dataclass(frozen=True, slots=True)
class Twin:
    """What two hosts must not have in common. advice: the next step."""

    what: str
    value: str
    first: Seen
    second: Seen
    advice: str

    @property
    def why(self) -> str:
        """Both, and where they are written."""
        return f"{self.first} and {self.second} have {self.value}"


_ONE = "they are one machine under two names: take one of them out of the inventory"
_CLONE = "one is a clone of the other: on it, rm /etc/machine-id, then reboot it"
_NAMES = "give every machine its own host name"
_MACS = "one machine under two names, or a clone with its network card's address: give every machine its own"
_HELD = "two machines hold one address, or the inventory has it at the wrong one: correct whichever it is"


def twins(seen: Sequence[Seen]) -> tuple[Twin, ...]:
    """Every pair that is wrong, each value once for every host but the first that has it.

    Of two names for one machine the machine-id says it all.
    """
    ids = tuple(_machine_ids(seen))
    one = {(twin.first.host, twin.second.host) for twin in ids if twin.advice == _ONE}
    others = (*_hostnames(seen), *_macs(seen), *_held(seen))
    return (*ids, *(twin for twin in others if (twin.first.host, twin.second.host) not in one))


def _machine_ids(seen: Sequence[Seen]) -> Iterator[Twin]:
    for first, second, value in _shared([(one, one.identity.machine_id) for one in seen]):
        same = first.identity.boot_id and first.identity.boot_id == second.identity.boot_id
        yield Twin("machine-id", value, first, second, _ONE if same else _CLONE)


def _hostnames(seen: Sequence[Seen]) -> Iterator[Twin]:
    for first, second, value in _shared([(one, one.identity.hostname) for one in seen]):
        yield Twin("host name", value, first, second, _NAMES)


def _macs(seen: Sequence[Seen]) -> Iterator[Twin]:
    for first, second, value in _shared([(one, mac) for one in seen for mac in one.identity.macs]):
        yield Twin("MAC address", value, first, second, _MACS)


def _held(seen: Sequence[Seen]) -> Iterator[Twin]:
    """An address that the inventory gives to one host, on another: who connects may find either."""
    owners = {address: one for one in seen for address in one.claims}
    for one in seen:
        for address in one.identity.addresses:
            owner = owners.get(address)
            if owner is not None and owner is not one and address not in one.claims:
                yield Twin("address", address, owner, one, _HELD)


def _shared(pairs: Sequence[tuple[Seen, str]]) -> Iterator[tuple[Seen, Seen, str]]:
    first: dict[str, Seen] = {}
    for one, value in pairs:
        if value:
            other = first.setdefault(value, one)
            if other is not one:
                yield other, one, value
