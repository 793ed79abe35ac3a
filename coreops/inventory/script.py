"""The inventory as Ansible's inventory scripts tell it: groups with members and variables, hosts with theirs. Pure.

Variables are untemplated and merged as Ansible would merge them, so that it comes to the same values. Those that say
passwords are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coreops.inventory.aliases import SECRETS
from coreops.inventory.inventory import Inventory


def everybody(inventory: Inventory) -> dict[str, Any]:
    """What ``--list`` prints. ``_meta`` spares Ansible a call for each host."""
    groups: dict[str, Any] = {
        name: {"hosts": list(group.hosts), "children": list(group.children)}
        for name, group in inventory.groups.items()
        if name != "ungrouped" or group.hosts
    }
    groups["all"]["children"] = [name for name in inventory.groups["all"].children if name in groups]
    groups["all"]["hosts"] = []  # it has every host anyway
    return {"_meta": {"hostvars": {host: variables(inventory, host) for host in inventory.hosts}}, **groups}


def variables(inventory: Inventory, host: str) -> Mapping[str, Any]:
    """What ``--host`` prints."""
    return {name: value for name, value in inventory.vars(host).items() if name not in SECRETS}
