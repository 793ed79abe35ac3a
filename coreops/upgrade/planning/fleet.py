"""The hosts that upgrades are about, out of an inventory: who they are, how each is reached, who runs the store, and
who is left aside on purpose. Opens no connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coreops.errors import InputError
from coreops.inventory import Inventory, load_inventory, target
from coreops.model import Position, Target
from coreops.store import cluster
from coreops.store.cluster import Member

STORE = "store"


@dataclass(frozen=True, slots=True)
class Fleet:
    """hosts: all of them, in inventory order. chosen: those within ``--limit``. members: of the store, all of them."""

    inventory: Inventory
    hosts: tuple[str, ...]
    chosen: tuple[str, ...]
    targets: Mapping[str, Target]
    members: Mapping[str, Member]

    def zone(self, host: str) -> str:
        """The failure domain a host is in; "" when the inventory says nothing."""
        known = self.inventory.vars(host)
        return str(known.get("upgrade_zone", known.get("zone", "")))


def read(source: Path, limit: str | None, connection: Mapping[str, Any], group: str = "all") -> Fleet:
    """Read an inventory. ``connection``: defaults for ``inventory.target``. Raises InputError."""
    connection = {**connection, "identity_files": [Path(path) for path in connection.get("identity_files", ())]}
    inventory = load_inventory(source)
    hosts = inventory.match(group)
    chosen = inventory.match(group, limit)
    if not chosen:
        why = f"--limit {limit} leaves none" if limit else "it has none"
        raise InputError("there is no host to look at", where=source, why=why)
    store = inventory.members(STORE) if STORE in inventory.groups else ()
    everybody = dict.fromkeys((*hosts, *store))
    targets = {
        host: target(inventory, host, become=True, render=_renderer(inventory, host), **connection)
        for host in everybody
    }

    def origin(host: str, name: str) -> object:
        return next(iter(inventory.origin(host, name)), source)

    members = {host: cluster.member(host, inventory.vars(host), targets[host].address, origin) for host in store}
    return Fleet(inventory, hosts, chosen, targets, members)


def _renderer(inventory: Inventory, host: str) -> Any:
    """Templates connection variables; jinja2 is imported only when one needs it."""

    def render(text: str, position: Position) -> Any:
        from coreops.playbook.rendering import host_renderer

        return host_renderer(inventory, host)(text, position)

    return render
