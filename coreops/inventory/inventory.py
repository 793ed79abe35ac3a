"""The inventory: hosts and groups, who matches a pattern, and each host's variables with their places.

Immutable. Reads files only in ``with_playbook_dir`` and for ``@file`` limits; never connects to anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from coreops.errors import InputError, did_you_mean
from coreops.inventory import patterns
from coreops.inventory.data import Group, Host, Setting, Settings, VarsFolder
from coreops.inventory.graph import ancestors, walk
from coreops.inventory.limits import limited
from coreops.inventory.machines import learned
from coreops.inventory.vars_files import read_vars_folder
from coreops.model import Position

LOCALHOST = "localhost"


@dataclass(frozen=True, eq=False)
class Inventory:
    """Hosts in the order they appear, groups, and the variables of both.

    base: the folder that known_hosts, group_vars and relative paths belong to. folders: the vars files beside the
    inventory, then those beside the playbook. machines: what is known of machines that coreops made.
    """

    hosts: Mapping[str, Host] = field(repr=False)
    groups: Mapping[str, Group] = field(repr=False)
    base: Path
    folders: tuple[VarsFolder, ...] = field(default=(), repr=False)
    machines: Mapping[str, Settings] = field(default_factory=dict, repr=False)
    _members: dict[str, tuple[str, ...]] = field(default_factory=dict, init=False, repr=False)
    _chains: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict, init=False, repr=False)
    _shared: dict[tuple[str, ...], dict[str, Setting]] = field(default_factory=dict, init=False, repr=False)

    def match(self, pattern: str, limit: str | None = None) -> tuple[str, ...]:
        """Return the hosts a pattern selects, within ``limit``. Raises InputError for an unknown name.

        ``localhost`` alone is always known: the controller, when the inventory does not say otherwise.
        """
        names = patterns.Names(self.hosts, tuple(self.groups), self.members)
        if pattern == LOCALHOST and LOCALHOST not in self.hosts and LOCALHOST not in self.groups:
            return (LOCALHOST,) if limit in (None, LOCALHOST, "all") else ()
        found = patterns.match(pattern, names)
        if limit is None:
            return found
        allowed = limited(limit, names)
        return tuple(host for host in found if host in allowed)

    def members(self, group: str) -> tuple[str, ...]:
        """Return all hosts of a group and of the groups below it."""
        found = self._members.get(group)
        if found is None:
            self._group(group)
            below = {name: each.children for name, each in self.groups.items()}
            hosts = (host for name in walk(group, below) for host in self.groups[name].hosts)
            found = self._members[group] = tuple(dict.fromkeys(hosts))
        return found

    def group_names(self, host: str) -> tuple[str, ...]:
        """Return the names of all groups a host is in, but ``all``, sorted."""
        return tuple(sorted(self._chain(self._host(host))))

    def vars(self, host: str) -> Mapping[str, Any]:
        """Return a host's variables, untemplated, merged by Ansible's precedence."""
        return {name: setting.value for name, setting in self.settings(host).items()}

    def settings(self, host: str) -> Mapping[str, Setting]:
        """Return what ``vars`` returns, each value with its place."""
        found = self._host(host)
        shared = self._shared.get(found.groups)
        if shared is None:
            shared = self._shared[found.groups] = _merge(self._group_layers(found))
        written = shared | _merge(self._host_layers(found))
        return {**learned(self.machines[host], written), **written} if host in self.machines else written

    def origin(self, host: str, name: str) -> tuple[Position, ...]:
        """Return where a variable's value was written, then the places it overrides, nearest first; () if unset."""
        found = self._host(host)
        layers = [*self._group_layers(found), *self._host_layers(found)]
        if host in self.machines:
            layers = [learned(self.machines[host], _merge(layers)), *layers]
        written = (layer[name] for layer in reversed(layers) if name in layer)
        return tuple(place for setting in written for place in (setting.position, *setting.overrides))

    def with_playbook_dir(self, path: Path) -> Inventory:
        """Return this inventory with the group_vars/ and host_vars/ beside a playbook. Raises InputError."""
        own = self.folders[:1]
        if path.resolve() == self.base.resolve():
            return replace(self, folders=own)
        return replace(self, folders=(*own, read_vars_folder(path, self.groups, self.hosts)))

    def as_written(self) -> Inventory:
        """Return this inventory without what is known of machines: the same before they are made and after."""
        return replace(self, machines={})

    def _group_layers(self, host: Host) -> list[Settings]:
        """Ansible's order: inventory files, then group_vars/all of every folder, then the other group_vars."""
        chain = self._chain(host)
        layers = [self.groups["all"].settings, *(self.groups[name].settings for name in chain)]
        for names in (("all",), chain):
            for folder in self.folders:
                layers += [layer for name in names for layer in folder.groups.get(name, ())]
        return layers

    def _host_layers(self, host: Host) -> list[Settings]:
        return [host.settings, *(layer for folder in self.folders for layer in folder.hosts.get(host.name, ()))]

    def _chain(self, host: Host) -> tuple[str, ...]:
        """All groups of a host but ``all``, weakest first."""
        chain = self._chains.get(host.groups)
        if chain is None:
            parents = {name: group.parents for name, group in self.groups.items()}
            found = [self.groups[name] for name in ancestors(host.groups, parents) if name != "all"]
            found.sort(key=lambda group: (group.depth, group.priority, group.name))
            chain = self._chains[host.groups] = tuple(group.name for group in found)
        return chain

    def _host(self, name: str) -> Host:
        found = self.hosts.get(name)
        if found is None and name == LOCALHOST:
            where = Position("implicit localhost")
            return Host(LOCALHOST, where, (), {"ansible_connection": Setting("local", where)})
        if found is None:
            raise InputError(f"no host is named {name!r}", where=self.base, next=did_you_mean(name, self.hosts))
        return found

    def _group(self, name: str) -> Group:
        found = self.groups.get(name)
        if found is None:
            raise InputError(f"no group is named {name!r}", where=self.base, next=did_you_mean(name, self.groups))
        return found


def _merge(layers: list[Settings]) -> dict[str, Setting]:
    return {name: setting for layer in layers for name, setting in layer.items()}
