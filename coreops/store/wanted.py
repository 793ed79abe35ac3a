"""Reads the wanted cluster out of an inventory and the artifact lock file. No connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coreops.errors import InputError
from coreops.inventory import Inventory, duplicate_addresses, target
from coreops.model import Target
from coreops.playbook.rendering import host_renderer
from coreops.playbook.shipped import shipped
from coreops.store import cluster, lockfile, versions
from coreops.store.cluster import Member
from coreops.store.lockfile import Locked

GROUP = "store"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Members in inventory order, how to reach them, and what each is to run."""

    members: tuple[Member, ...]
    targets: Mapping[str, Target]
    artifacts: Mapping[str, Locked]
    version: str

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(member.name for member in self.members)


def read(inventory: Inventory, source: Path, connection: Mapping[str, Any]) -> Wanted:
    """Check the whole inventory of the store. ``connection``: defaults for ``target``. Raises InputError."""
    if GROUP not in inventory.groups:
        raise InputError(
            f"the inventory has no group {GROUP}",
            where=source,
            why=f"its groups are {', '.join(inventory.groups)}",
            next=f"put the hosts that are to run etcd (1, 3, 5 or 7) into a group {GROUP}",
        )
    hosts = inventory.members(GROUP)
    fill = {host: host_renderer(inventory, host) for host in hosts}
    targets = {host: target(inventory, host, become=True, render=fill[host], **connection) for host in hosts}
    for shared in duplicate_addresses(inventory, hosts, render=fill.__getitem__):
        raise InputError(
            f"hosts {' and '.join(shared.hosts)} have one address",
            where=shared.positions[-1],
            why=f"{shared.hosts[0]} is at {shared.address} too: {shared.positions[0]}",
            next="give each host its own address (ansible_host)",
        )

    def origin(host: str, name: str) -> object:
        return next(iter(inventory.origin(host, name)), source)

    def own(host: str) -> dict[str, Any]:
        settings = inventory.settings(host).items()
        return {name: fill[host](each.value, each.position) for name, each in settings if name.startswith("etcd_")}

    members = tuple(cluster.member(host, own(host), targets[host].address, origin) for host in hosts)
    cluster.check(members, source)
    path = lockfile.find(inventory.base)
    locked = lockfile.read(path)
    artifacts = {m.name: lockfile.choose(locked, "etcd", m.arch, m.version, where=path) for m in members}
    return Wanted(members, targets, artifacts, _one_version(artifacts, source))


def _one_version(artifacts: Mapping[str, Locked], source: Path) -> str:
    found = sorted({item.version for item in artifacts.values()}, key=versions.parse)
    if len(found) > 1:
        raise InputError(
            f"the members are to run different versions of etcd: {', '.join(found)}",
            where=source,
            why="members differ only while an upgrade is under way, and bootstrap does that one by one itself",
            next="set etcd_version for the whole group, and pin it for every architecture in the artifact lock file",
        )
    return found[0]


def variables(
    wanted: Wanted, archives: Mapping[str, Path], pki: Path, token: str, firsts: Mapping[str, tuple[str, str]]
) -> dict[str, Any]:
    """What the playbook sees. ``firsts``: (members, state) for hosts that are about to meet their cluster."""
    members = {}
    for member in wanted.members:
        locked = wanted.artifacts[member.name]
        known = member.variables()
        known["flags"] = {**versions.flags(locked.version), **known["flags"]}
        members[member.name] = known | {"release": locked.release, "archive": str(archives[locked.sha256])}
    return {
        "etcd_members": members,
        "etcd_pki": str(pki),
        "etcd_token": token,
        "etcd_first": {name: {"members": text, "state": state} for name, (text, state) in firsts.items()},
        "etcd_write_first": False,
    }


def default_playbook() -> Path:
    """The packaged playbook, or the checkout's."""
    return shipped("bootstrap.yml")


def first_members(members: Sequence[Member]) -> dict[str, tuple[str, str]]:
    """How every member of a new cluster meets it."""
    text = cluster.initial_cluster(members)
    return {member.name: (text, "new") for member in members}
