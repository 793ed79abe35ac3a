"""Which network a cluster gets, and which address a machine: what the variables ask for, or what is free. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network

from coreops.errors import InputError
from coreops.providers.protocol import Wanted
from coreops.providers.qemu.place import Record, free_address, free_subnet
from coreops.providers.qemu.settings import Settings, usable


def subnet(settings: Settings, used: Sequence[IPv4Network], wanted: Wanted) -> str:
    """The network of a new cluster. Raises InputError when it is in use."""
    found = settings.subnet or free_subnet(used)
    if clash := [each for each in used if each.prefixlen and each.overlaps(IPv4Network(found))]:
        raise InputError(
            f"the network {found} is in use",
            where=wanted.where,
            why=f"this machine, or another cluster on it, has {clash[0]}",
            next="name another with qemu_network, or leave it out",
        )
    return found


def address(settings: Settings, subnet: str, others: Sequence[Record], wanted: Wanted) -> str:
    """The machine's address: the one that the variables name, or a free one. Raises InputError."""
    if settings.subnet not in (None, subnet):
        raise InputError(
            f"the machines of cluster {wanted.cluster} are in {subnet}, and not in {settings.subnet}",
            where=wanted.where,
            why="a cluster has one network, which its first machine decides",
            next="give the others addresses there, or name the network for all with qemu_network",
        )
    if settings.address is None:
        return free_address(subnet, (each.address for each in others))
    if not usable(IPv4Address(settings.address), IPv4Network(subnet)):
        raise InputError(f"{settings.address} cannot be a machine's address in {subnet}", where=wanted.where)
    if taken := [each.node for each in others if each.address == settings.address]:
        raise InputError(f"{settings.address} is the address of {taken[0]}", where=wanted.where)
    return settings.address
