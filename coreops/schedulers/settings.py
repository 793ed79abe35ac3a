"""Reads the wanted scheduler out of an inventory: which hosts take part, in which role, with which settings. Opens no
connection; every mistake is told with the place it was written at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from coreops.errors import InputError, did_you_mean
from coreops.inventory import duplicate_addresses, target
from coreops.model import Position, Target
from coreops.playbook.rendering import host_renderer
from coreops.schedulers import registry
from coreops.schedulers.protocol import Cluster, Host, Role, Scheduler
from coreops.store import lockfile
from coreops.store.cluster import Member, member

if TYPE_CHECKING:
    from coreops.inventory import Inventory

STORE = "store"
VARIABLE = "scheduler"
OWN = ("scheduler", "scheduler_address", "scheduler_arch", "scheduler_role")
ROLES: tuple[Role, ...] = ("manager", "worker")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_./-]*[A-Za-z0-9])?", re.ASCII)
_PLACE = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]+", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The cluster as it shall be, how to reach its hosts, and who knows how to get there."""

    cluster: Cluster
    targets: Mapping[str, Target]
    scheduler: Scheduler
    inventory: Inventory = field(repr=False)

    @property
    def name(self) -> str:
        return self.cluster.scheduler


def read(inventory: Inventory, connection: Mapping[str, Any]) -> Wanted | None:
    """None when no host has a scheduler. ``connection``: defaults for ``inventory.target``. Raises InputError."""
    chosen = _chosen(inventory)
    if chosen is None:
        return None
    name, hosts = chosen
    adapter = registry.adapter(name)
    connection = {**connection, "identity_files": [Path(path) for path in connection.get("identity_files", ())]}
    store = frozenset(inventory.members(STORE)) if STORE in inventory.groups else frozenset[str]()
    render = {host: host_renderer(inventory, host) for host in hosts}
    targets = {host: target(inventory, host, become=True, render=render[host], **connection) for host in hosts}
    for shared in duplicate_addresses(inventory, hosts, render=render.__getitem__):
        raise InputError(
            f"hosts {' and '.join(shared.hosts)} have one address",
            where=shared.positions[-1],
            why=f"{shared.hosts[0]} is at {shared.address} too: {shared.positions[0]}",
            next="give each host its own address (ansible_host)",
        )
    made = tuple(
        _host(inventory, host, targets[host].address, "manager" if host in store else "worker", adapter, render[host])
        for host in hosts
    )

    def origin(host: str, variable: str) -> object:
        return next(iter(inventory.origin(host, variable)), None) or inventory.origin(host, VARIABLE)[0]

    members = _store(inventory, connection)
    urls = tuple(each.client_url for each in members)
    wants = tuple((_pinned(inventory, each), each.flags) for each in members)
    cluster = Cluster(scheduler=name, hosts=made, store=urls, store_wants=wants, origin=origin)
    _distinct(cluster)
    return Wanted(cluster, targets, adapter.make(cluster), inventory)


def need(inventory: Inventory, connection: Mapping[str, Any], source: object) -> Wanted:
    """As ``read``, for commands that have nothing to do without a scheduler. Raises InputError."""
    wanted = read(inventory, connection)
    if wanted is None:
        raise InputError(
            "the inventory has no scheduler",
            where=source,
            why="no host has the variable scheduler",
            next=f"set scheduler ({', '.join(registry.PREFIXES)}) for the hosts that take part, then coreops bootstrap",
        )
    return wanted


def general(inventory: Inventory, host: str, names: Collection[str]) -> dict[str, Any]:
    """Those of a host's variables that every scheduler has (``zone``, ``node_labels`` ...), read and checked; without
    those that are not set. Raises InputError.
    """
    render = host_renderer(inventory, host)
    found: dict[str, Any] = {}
    for key, setting in inventory.settings(host).items():
        if key in names and key in _GENERAL:
            try:
                found[key] = _GENERAL[key](render(setting.value, setting.position))
            except ValueError as error:
                raise InputError(f"{key} is not usable", where=setting.position, why=str(error)) from error
    return found


def _chosen(inventory: Inventory) -> tuple[str, tuple[str, ...]] | None:
    """The one scheduler, and the hosts that take part."""
    found: dict[str, tuple[str, Position]] = {}
    for host in inventory.hosts:
        setting = inventory.settings(host).get(VARIABLE)
        if setting is None:
            continue
        word = host_renderer(inventory, host)(setting.value, setting.position)
        if word is None or word == registry.NONE:
            continue
        if not isinstance(word, str) or word not in registry.names():
            known = f"known: {', '.join(registry.names())}"
            near = did_you_mean(str(word), registry.names())
            raise InputError(f"unknown scheduler {word!r:.60}", where=setting.position, next=near or known)
        found[host] = word, setting.position
    if not found:
        return None
    first = next(iter(found))
    name, place = found[first]
    for host, (word, position) in found.items():
        if word != name:
            raise InputError(
                f"host {host} has the scheduler {word}, and {first} has {name}",
                where=position,
                why=f"an inventory has one scheduler; {name} is set at {place}",
                next=f"write {name} or none for {host}, or give it an inventory of its own",
            )
    return name, tuple(found)


def _host(
    inventory: Inventory,
    name: str,
    address: str,
    role: Role,
    adapter: registry.Adapter,
    render: Callable[[Any, Position], Any],
) -> Host:
    settings: dict[str, Any] = {}
    general: dict[str, Any] = {}
    for key, setting in inventory.settings(name).items():
        general_ = key in _GENERAL or key == VARIABLE or key.startswith(f"{VARIABLE}_")
        if not general_ and not key.startswith(adapter.prefixes):
            continue
        known = {**dict.fromkeys(OWN), **_GENERAL} if general_ else adapter.variables
        if key not in known:
            hint = did_you_mean(key, known) or f"known: {', '.join(sorted(known))}"
            raise InputError(f"unknown variable {key} of host {name}", where=setting.position, next=hint)
        if key == VARIABLE:
            continue
        value = render(setting.value, setting.position)
        try:
            if general_:
                general[key] = _GENERAL[key](value)
            else:
                settings[key] = adapter.variables[key](value)
        except ValueError as error:
            raise InputError(f"{key} is not usable", where=setting.position, why=str(error)) from error
    zone = general.get("zone", "")
    labels = {**general.get("node_labels", {}), **({"zone": zone} if zone else {})}
    return Host(
        name=name,
        address=general.get("scheduler_address", address),
        role=cast(Role, general.get("scheduler_role", role)),
        zone=zone,
        labels=labels,
        arch=general.get("scheduler_arch", "amd64"),
        settings=settings,
    )


def _store(inventory: Inventory, connection: Mapping[str, Any]) -> tuple[Member, ...]:
    """The inventory's etcd members."""
    members = []
    for host in inventory.members(STORE) if STORE in inventory.groups else ():
        render = host_renderer(inventory, host)
        settings = {key: each for key, each in inventory.settings(host).items() if key.startswith("etcd_")}
        own = {key: render(each.value, each.position) for key, each in settings.items()}
        address = target(inventory, host, become=True, render=render, **connection).address
        made = member(host, own, address, lambda host, name: next(iter(inventory.origin(host, name)), inventory.base))
        members.append(made)
    return tuple(members)


def _pinned(inventory: Inventory, each: Member) -> str:
    """The version of etcd that a member is to run; what is wrong with the lock file is for the store to say."""
    path = lockfile.find(inventory.base)
    try:
        return lockfile.choose(lockfile.read(path), "etcd", each.arch, each.version, where=path).version
    except InputError:
        return each.version or ""


def _distinct(cluster: Cluster) -> None:
    seen: dict[str, str] = {}
    for host in cluster.hosts:
        other = seen.setdefault(host.address, host.name)
        if other != host.name:
            raise InputError(
                f"hosts {other} and {host.name} have one address",
                where=cluster.origin(host.name, "scheduler_address"),
                why=f"both would be {host.address}",
                next="give each host its own scheduler_address",
            )


def _address(value: object) -> str:
    if not isinstance(value, str) or not _PLACE.fullmatch(value):
        raise ValueError(f"it must be an address or a host name, found {value!r:.80}")
    return value


def _role(value: object) -> str:
    if value not in ROLES:
        near = did_you_mean(str(value), ROLES)
        raise ValueError(f"it must be manager or worker, found {value!r:.80}" + (f"; {near}" if near else ""))
    return str(value)


def _word(value: object) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _WORD.fullmatch(text):
        raise ValueError(f"it must be one word, found {value!r:.80}")
    return text


def _zone(value: object) -> str:
    return "" if value is None or value == "" else _word(value)


def _labels(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError(f"it must be a mapping of labels to values, found {value!r:.80}")
    labels = {}
    for key, each in value.items():
        if not isinstance(key, str) or not _LABEL.fullmatch(key):
            raise ValueError(f"{key!r:.80} cannot be the name of a label")
        if key == "zone" or key.startswith("coreops"):
            raise ValueError(f"{key} is a label that coreops sets itself" + (" (from zone)" if key == "zone" else ""))
        text = str(each).lower() if isinstance(each, bool) else str(each)
        if isinstance(each, list | dict) or each is None or not text.isprintable():
            raise ValueError(f"the label {key} must be a text of one line, found {each!r:.80}")
        labels[key] = text
    return labels


_GENERAL: Mapping[str, Callable[[object], Any]] = {
    "node_labels": _labels,
    "scheduler_address": _address,
    "scheduler_arch": _word,
    "scheduler_role": _role,
    "zone": _zone,
}
