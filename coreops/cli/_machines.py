"""From inventories to the names that machines have: the bridge between packages that must not know each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coreops.delivery.serving.identity import Kind, spelled
from coreops.delivery.serving.machines import VARIABLES, Named

if TYPE_CHECKING:
    from coreops.inventory import Inventory

ADDRESSES = ("private_ipv4", "public_ipv4", "private_ipv6", "public_ipv6", "ansible_host")


def named(paths: Sequence[Path], *, by_ip: bool, needed: bool) -> list[Named]:
    """Return every name of a machine in the inventories; the usual one when none is named. Raises InputError."""
    from coreops.cli.inventory import load
    from coreops.errors import InputError

    if not paths:
        try:
            return list(_of(load(None), by_ip))
        except InputError:
            if needed:
                raise
            return []
    return [each for path in paths for each in _of(load(path), by_ip)]


def _of(inventory: Inventory, by_ip: bool) -> Iterator[Named]:
    from coreops.playbook.rendering import host_renderer

    wanted: dict[str, Kind] = dict(VARIABLES)
    if by_ip:
        wanted |= dict.fromkeys(ADDRESSES, "ip")
    for host in inventory.hosts:
        settings = inventory.settings(host)
        found = [name for name in wanted if name in settings]
        if not found:
            continue
        render = host_renderer(inventory, host)
        for name in found:
            place = settings[name].position
            value = render(settings[name].value, place)
            for each in value if isinstance(value, list) else () if value is None else (value,):
                if name == "ansible_host" and (not isinstance(each, str) or spelled("ip", each) is None):
                    continue  # a name for SSH, which need not be an address
                yield Named(host, wanted[name], each, place)
