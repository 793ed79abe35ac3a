"""Which ledger a cluster has: etcd where the inventory has a store, markers on all its hosts otherwise. Reads
variables, opens nothing: the ways to the hosts are handed in.
"""

from __future__ import annotations

from collections.abc import Sequence

from coreops.errors import InputError
from coreops.inventory import Inventory, target
from coreops.store import cluster
from coreops.store.wanted import GROUP
from coreops.upgrade.ledger.book import Book
from coreops.upgrade.ledger.etcd import Ask, Etcd
from coreops.upgrade.ledger.holder import Holder
from coreops.upgrade.ledger.markers import AskOn, Markers
from coreops.upgrade.plan import Patience


def store_hosts(inventory: Inventory) -> tuple[str, ...]:
    """The hosts that run etcd; () when the ledger stands on the nodes."""
    return inventory.members(GROUP) if GROUP in inventory.groups else ()


def ledger_hosts(inventory: Inventory) -> tuple[str, ...]:
    """The hosts that must be reached for the ledger. Raises InputError when there are none."""
    hosts = store_hosts(inventory) or tuple(inventory.hosts)
    if not hosts:
        raise InputError("the inventory has no hosts", where=inventory.base)
    return hosts


_USUAL = Patience()


def open_ledger(inventory: Inventory, holder: Holder, ask: Ask, ask_on: AskOn, patience: Patience = _USUAL) -> Book:
    """The ledger of a cluster. ask: any host of the store; ask_on: each of ``ledger_hosts``."""
    hosts = store_hosts(inventory)
    if not hosts:
        return Book(Markers(ask_on, ledger_hosts(inventory)), holder)
    urls = endpoints(inventory, hosts)
    return Book(Etcd(ask, urls, answer=patience.answer, silence=patience.silence), holder)


def endpoints(inventory: Inventory, hosts: Sequence[str]) -> tuple[str, ...]:
    """The members' client URLs."""

    def origin(host: str, name: str) -> object:
        return next(iter(inventory.origin(host, name)), inventory.base)

    return tuple(
        cluster.member(host, inventory.vars(host), target(inventory, host).address, origin).client_url for host in hosts
    )
