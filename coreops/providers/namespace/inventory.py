"""Writes a lab as an inventory folder: ``hosts.yml``, ``known_hosts`` and the key. Knows no other part of coreops."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from coreops.errors import InputError
from coreops.providers.namespace.host import remove_empty, write_atomically
from coreops.providers.namespace.keys import KeyPair
from coreops.providers.namespace.plan import LabPlan

_MARK = "# Written by `coreops lab up`"
_HEADER = (
    f"{_MARK}, and written again by the next one. `coreops lab down` removes it.\n"
    "# Put groups and variables of your own into other files of this folder (group_vars/, host_vars/, more.yml).\n"
)
FILES = ("hosts.yml", "known_hosts", "id_ed25519", "id_ed25519.pub")


def hosts_yaml(plan: LabPlan, folder: Path) -> str:
    """Return hosts.yml. Pure."""
    import yaml

    hosts: dict[str, Any] = {node.name: {"ansible_host": node.address, "zone": node.zone} for node in plan.nodes}
    variables: dict[str, Any] = {
        "ansible_user": "core",
        "ansible_become": True,
        "ansible_ssh_private_key_file": str(folder / "id_ed25519"),
    }
    # For other programs; coreops finds the known_hosts beside the inventory by itself. ssh splits the value at blanks.
    if not set(str(folder)) & set(" \t\n'\"\\"):
        variables["ansible_ssh_common_args"] = f"-o UserKnownHostsFile={folder / 'known_hosts'}"
    if plan.driver == "qemu":
        variables["etcd_clock_skew"] = 3  # set by a machine's own clock, which counts whole seconds, and the firmware
    tree = {"all": {"vars": variables, "children": {"store": {"hosts": hosts}}}}
    return _HEADER + str(yaml.safe_dump(tree, sort_keys=False, width=200))


def known_hosts(plan: LabPlan, host_keys: Mapping[str, KeyPair]) -> str:
    """Return known_hosts: every node under its address. Pure."""
    lines = []
    for node in plan.nodes:
        kind, key, *_ = host_keys[node.name].public.split()
        lines.append(f"{node.address} {kind} {key}\n")
    return "".join(lines)


def check(folder: Path) -> None:
    """Refuse a folder that holds somebody else's inventory. Raises InputError before anything is written."""
    hosts = folder / "hosts.yml"
    if hosts.exists() and not hosts.read_text(errors="replace").startswith(_MARK):
        raise InputError(
            f"{hosts} was not written by a lab and would be overwritten",
            next="choose another folder with --inventory, or another --name",
        )


def write(folder: Path, plan: LabPlan, key: KeyPair, host_keys: Mapping[str, KeyPair]) -> None:
    """Write the folder. Under sudo its files belong to the user who called sudo."""
    check(folder)
    made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "id_ed25519", key.private, 0o600)
    write_atomically(folder / "id_ed25519.pub", key.public + "\n")
    write_atomically(folder / "known_hosts", known_hosts(plan, host_keys))
    write_atomically(folder / "hosts.yml", hosts_yaml(plan, folder))
    _hand_over([*made, *(folder / name for name in FILES)])


def _hand_over(paths: Iterable[Path]) -> None:
    user, group = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if user.isdecimal() and group.isdecimal():
        for path in paths:
            os.chown(path, int(user), int(group), follow_symlinks=False)


def remove(folder: Path) -> None:
    """Remove what ``write`` wrote; other files, and a hosts.yml of somebody else's, stay."""
    try:
        check(folder)
    except InputError:
        return
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    remove_empty([folder, *([folder.parent] if folder.parent.name == "inventories" else [])])
