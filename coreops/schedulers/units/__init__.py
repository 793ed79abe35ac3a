"""The scheduler ``units``: systemd on every node, given units by the store; placed by ``coreops.units.placement``.

``layout`` is what stands in the store, ``planning`` decides what to write, ``gateway`` reads and writes, ``adapter`` is
the protocol of all schedulers, ``submitting`` what only this one has: units come, start, stop and go. Pure. What nodes
do is the program that ``playbooks/units.yml`` installs.
"""

from __future__ import annotations

import re

from coreops.errors import InputError
from coreops.schedulers.protocol import Cluster
from coreops.schedulers.units.adapter import Units
from coreops.schedulers.units.settings import VARIABLES

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*", re.ASCII)
__all__ = ["VARIABLES", "Units", "make"]


def make(cluster: Cluster) -> Units:
    """Raises InputError for what cannot be a cluster."""
    if not cluster.store:
        first = cluster.hosts[0].name
        raise InputError(
            "the scheduler units needs a store, and the inventory has none",
            where=cluster.origin(first, "scheduler"),
            why="which node has which unit is kept in etcd",
            next="put 1, 3 or 5 hosts into the group store",
        )
    for host in cluster.hosts:
        if not _NAME.fullmatch(host.name):
            raise InputError(
                f"host {host.name!r:.60} cannot have units",
                where=cluster.origin(host.name, "scheduler"),
                why="its name is part of keys in the store and of files on the node",
                next="name it with letters, digits, and any of . _ : -",
            )
    return Units(cluster)
