"""Which hosts of an inventory stand for the same machine. Compares what is written; resolves no names."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence

from coreops.frozen import frozen
from coreops.inventory.aliases import Reader, Render
from coreops.inventory.inventory import Inventory
from coreops.model import Position


@frozen
class SharedAddress:
    """One address and port that more than one host has. positions: where each host's address is written."""

    address: str
    port: int
    hosts: tuple[str, ...]
    positions: tuple[Position, ...]


def duplicate_addresses(
    inventory: Inventory,
    hosts: Sequence[str] | None = None,
    *,
    render: Callable[[str], Render] | None = None,
) -> tuple[SharedAddress, ...]:
    """Return the addresses that several of ``hosts`` (default: all) share on one SSH port. render: how, for a host.

    Behind another jump host an address is another one.
    """
    found: dict[tuple[str, int, str], list[tuple[str, Position]]] = {}
    for host in inventory.hosts if hosts is None else hosts:
        reader = Reader(inventory, host, render(host) if render else None)
        setting, port, jump = reader.get("address"), reader.get("port"), reader.get("proxy_jump")
        address = _normal(str(setting.value) if setting else host)
        where = setting.position if setting else inventory.hosts[host].position
        number = int(port.value) if port and str(port.value).isdigit() else 22
        found.setdefault((address, number, str(jump.value) if jump else ""), []).append((host, where))
    return tuple(
        SharedAddress(address, port, tuple(host for host, _ in users), tuple(where for _, where in users))
        for (address, port, _), users in found.items()
        if len(users) > 1
    )


def _normal(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address.lower().rstrip(".")
