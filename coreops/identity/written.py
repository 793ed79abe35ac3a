"""Whether an inventory itself has one machine twice: by address, MAC, UUID or serial number. Reads what is written;
asks no machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from coreops.delivery.serving.identity import spelled
from coreops.delivery.serving.machines import VARIABLES, Machines, Named
from coreops.errors import InputError
from coreops.inventory import Inventory, duplicate_addresses
from coreops.inventory.aliases import ALIASES
from coreops.model import Position

OWN: Final = ("private_ipv4", "private_ipv6")
"""Variables with addresses that no two machines may have."""


def check(inventory: Inventory) -> None:
    """Refuse an inventory that has one machine twice. Raises InputError."""
    for shared in duplicate_addresses(inventory, render=lambda host: _renderer(inventory, host)):
        raise _same("address", shared.address, shared.hosts[:2], shared.positions[:2])
    _addresses(inventory)
    machines(inventory)


def machines(inventory: Inventory) -> Machines:
    """The hosts by the names that the inventory gives their machines. Raises InputError where two have one."""
    return Machines.of(_named(inventory))


def claims(inventory: Inventory, host: str) -> frozenset[str]:
    """The addresses that the inventory says a host has; behind a jump host, or at another port, they prove nothing."""
    settings = inventory.settings(host)
    if any(name in settings for key in ("proxy_jump", "port", "ssh_args") for name in ALIASES[key]):
        return frozenset()
    names = (*OWN, *ALIASES["address"])
    values = (_renderer(inventory, host)(settings[n].value, settings[n].position) for n in names if n in settings)
    return frozenset(found for each in values if (found := spelled("ip", str(each))) is not None)


def _addresses(inventory: Inventory) -> None:
    seen: dict[tuple[str, str], tuple[str, Position]] = {}
    for host in inventory.hosts:
        settings = inventory.settings(host)
        jump = next((str(settings[name].value) for name in ALIASES["proxy_jump"] if name in settings), "")
        for name in OWN:
            if name not in settings:
                continue
            where = settings[name].position
            value = spelled("ip", str(_renderer(inventory, host)(settings[name].value, where)))
            if value is None:
                continue  # whoever needs it says that it is no address
            other, place = seen.setdefault((jump, value), (host, where))
            if other != host:
                raise _same("address", value, (other, host), (place, where))


def _named(inventory: Inventory) -> Iterator[Named]:
    for host in inventory.hosts:
        settings = inventory.settings(host)
        for name, kind in VARIABLES.items():
            if name in settings:
                place = settings[name].position
                value = _renderer(inventory, host)(settings[name].value, place)
                for each in value if isinstance(value, list) else () if value is None else (value,):
                    yield Named(host, kind, each, place)


def _renderer(inventory: Inventory, host: str) -> Callable[[Any, Position], Any]:
    """Templates a value; what is none is left as it is, without Jinja2."""

    def render(value: Any, position: Position) -> Any:
        if not isinstance(value, str) or "{" not in value:
            return value
        from coreops.playbook.rendering import host_renderer

        return host_renderer(inventory, host)(value, position)

    return render


def _same(what: str, value: str, hosts: Sequence[str], places: Sequence[Position]) -> InputError:
    return InputError(
        f"{hosts[0]} and {hosts[1]} have the same {what}: {value}",
        where=places[1],
        why=f"{hosts[0]}: {places[0]}",
        next=f"give each host its own {what}, or take one of them out",
    )
