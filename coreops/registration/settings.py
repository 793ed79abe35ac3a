"""Which hosts of an inventory keep a record in the store, and what the inventory says in it. Opens no connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coreops.errors import InputError
from coreops.inventory import target
from coreops.model import Target
from coreops.playbook.rendering import host_renderer
from coreops.registration import record
from coreops.schedulers import settings as schedulers
from coreops.store.pki import Leaf
from coreops.store.wanted import GROUP

if TYPE_CHECKING:
    from coreops.inventory import Inventory

VARIABLE = "node_registry"


@dataclass(frozen=True, slots=True)
class Node:
    """One host. wanted False: somebody wrote ``node_registry: false``. said: the inventory's part of the record."""

    host: str
    wanted: bool
    said: Mapping[str, object]

    @property
    def leaf(self) -> Leaf:
        """The certificate with which it asks the store; it serves nothing."""
        return Leaf(f"registration/{self.host}", f"coreops node {self.host}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """All hosts, in inventory order, and how to reach them."""

    nodes: tuple[Node, ...]
    targets: Mapping[str, Target]

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return tuple(node.leaf for node in self.nodes if node.wanted)


def read(inventory: Inventory, connection: Mapping[str, Any]) -> Wanted | None:
    """None without a store. ``connection``: defaults for ``inventory.target``. Raises InputError."""
    if GROUP not in inventory.groups:
        return None
    connection = {**connection, "identity_files": [Path(path) for path in connection.get("identity_files", ())]}
    nodes, targets = [], {}
    for host in inventory.hosts:
        render = host_renderer(inventory, host)
        targets[host] = target(inventory, host, become=True, render=render, **connection)
        setting = inventory.settings(host).get(VARIABLE)
        wanted = True if setting is None else render(setting.value, setting.position)
        if not isinstance(wanted, bool):
            raise InputError(
                f"{VARIABLE} is not usable", where=setting and setting.position, why="it must be true or false"
            )
        nodes.append(Node(host, wanted, _said(inventory, host, targets[host].address)))
    if any(node.wanted for node in nodes):
        _check_gateway(inventory)
    return Wanted(tuple(nodes), targets)


def _check_gateway(inventory: Inventory) -> None:
    """Nodes have no etcdctl: what they talk to must not be switched off."""
    for host in inventory.members(GROUP):
        setting = inventory.settings(host).get("etcd_flags")
        flags = None if setting is None else host_renderer(inventory, host)(setting.value, setting.position)
        for key, value in flags.items() if isinstance(flags, Mapping) else ():
            name = str(key).lstrip("-").replace("_", "-").lower().removeprefix("etcd-")
            if name == "enable-grpc-gateway" and str(value).lower() == "false":
                raise InputError(
                    "nodes cannot register in an etcd without its JSON gateway",
                    where=setting and setting.position,
                    why=f"etcd_flags has {key}: false",
                    next=f"take it out, or set {VARIABLE}: false for all hosts",
                )


def _said(inventory: Inventory, host: str, address: str) -> dict[str, object]:
    general = schedulers.general(inventory, host, ("zone", "node_labels", "scheduler_address"))
    render = host_renderer(inventory, host)
    settings = inventory.settings(host)

    def text(name: str) -> str:
        setting = settings.get(name)
        found = None if setting is None else render(setting.value, setting.position)
        return found if isinstance(found, str) else ""

    own = text("etcd_address") if host in inventory.members(GROUP) else ""
    place = general.get("scheduler_address") or own or text("private_ipv4") or address
    scheduler = text(schedulers.VARIABLE)
    return record.static(
        host,
        place,
        general.get("zone", ""),
        "" if scheduler == "none" else scheduler,
        general.get("node_labels", {}),
    )
