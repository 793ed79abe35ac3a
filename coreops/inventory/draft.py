"""An inventory while its sources are being read: parsers add to it, ``finish`` makes hosts and groups of it.

Knows no file format. Names and values are checked as they come in, so errors carry the place that caused them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from coreops.errors import InputError
from coreops.inventory.data import Group, Host, Setting, Settings
from coreops.inventory.graph import depths
from coreops.inventory.names import check_group, check_variable
from coreops.model import Position

PRIORITY = "ansible_group_priority"
_NOWHERE = Position("built in")


@dataclass(slots=True)
class Owner:
    """A host or a group that variables can be set on."""

    name: str
    position: Position
    settings: dict[str, Setting] = field(default_factory=dict)
    hosts: dict[str, Position] = field(default_factory=dict)
    children: dict[str, Position] = field(default_factory=dict)
    groups: dict[str, None] = field(default_factory=dict)


class Draft:
    """Hosts and groups by name, in order of appearance. ``all`` and ``ungrouped`` always exist.

    found: what is known of machines that were looked up, weaker than what is written.
    """

    def __init__(self) -> None:
        self.hosts: dict[str, Owner] = {}
        self.found: dict[str, Settings] = {}
        self.groups: dict[str, Owner] = {}
        for name in ("all", "ungrouped"):
            self.groups[name] = Owner(name, _NOWHERE)
        self.groups["all"].children["ungrouped"] = _NOWHERE

    def group(self, name: str, position: Position) -> Owner:
        """Return the group, made if new."""
        found = self.groups.get(name)
        if found is None:
            check_group(name, position)
            found = self.groups[name] = Owner(name, position)
        elif found.position is _NOWHERE:
            found.position = position
        return found

    def host(self, name: str, position: Position, group: Owner) -> Owner:
        """Return the host (its name checked by ``parse_host``), made if new, as a member of ``group``."""
        found = self.hosts.get(name)
        if found is None:
            found = self.hosts[name] = Owner(name, position)
        group.hosts.setdefault(name, position)
        found.groups.setdefault(group.name)
        return found

    def child(self, parent: Owner, name: str, position: Position) -> None:
        """Put the group ``name`` below ``parent``."""
        parent.children.setdefault(name, position)

    def set(self, owner: Owner, name: str, value: Any, position: Position) -> None:
        """Set a variable. A later file wins over an earlier one; one file must not contradict itself."""
        old = owner.settings.get(name)
        if old is None:
            check_variable(name, position)
            owner.settings[name] = Setting(value, position)
        elif old.position.file != position.file:
            owner.settings[name] = Setting(value, position, (old.position, *old.overrides))
        elif type(old.value) is not type(value) or old.value != value:
            kind = "group" if owner.name in self.groups else "host"
            raise InputError(
                f"{kind} {owner.name!r} gets two values for {name!r} in one file",
                where=position,
                why=f"the other one is at {old.position}",
                next="keep one of them",
            )

    def finish(self) -> tuple[dict[str, Host], dict[str, Group]]:
        """Check the whole and return hosts and groups. Raises InputError: cycles, one name for host and group."""
        self._check_clashes()
        self._adopt()
        ordered, parents = depths({name: group.children for name, group in self.groups.items()})
        groups = {}
        for name, group in self.groups.items():
            settings = dict(group.settings)
            priority = _priority(settings.pop(PRIORITY, None))
            depth = ordered[name]
            members, children = tuple(group.hosts), tuple(group.children)
            groups[name] = Group(
                name, group.position, members, children, tuple(parents[name]), depth, priority, settings
            )
        hosts = {h.name: Host(h.name, h.position, tuple(h.groups), h.settings) for h in self.hosts.values()}
        return hosts, groups

    def _check_clashes(self) -> None:
        for name in self.hosts.keys() & self.groups.keys():
            group = self.groups[name].position
            raise InputError(
                f"{name!r} is the name of a host and of a group",
                where=self.hosts[name].position,
                why="the word is reserved" if group is _NOWHERE else f"the group is at {group}",
                next="rename one of them: patterns could not tell them apart",
            )

    def _adopt(self) -> None:
        """Put groups without a parent below ``all`` and hosts without a group into ``ungrouped``, as Ansible does."""
        everyone, ungrouped = self.groups["all"], self.groups["ungrouped"]
        with_parent = {child for group in self.groups.values() for child in group.children}
        for name, group in self.groups.items():
            if name != "all" and name not in with_parent:
                everyone.children.setdefault(name, group.position)
        for host in self.hosts.values():
            grouped = host.groups.keys() - {"all", "ungrouped"}
            if grouped and "ungrouped" in host.groups:
                del host.groups["ungrouped"], ungrouped.hosts[host.name]
            elif not grouped and "ungrouped" not in host.groups:
                host.groups["ungrouped"] = None
                ungrouped.hosts[host.name] = host.position


def _priority(setting: Setting | None) -> int:
    if setting is None:
        return 1
    try:
        return int(setting.value)
    except (TypeError, ValueError):
        raise InputError(
            f"{PRIORITY} must be a number, not {setting.value!r}", where=setting.position, next="write a whole number"
        ) from None
