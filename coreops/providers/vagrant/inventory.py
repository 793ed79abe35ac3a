"""The inventory of a Vagrant lab, before any machine is there: ``hosts.yml`` and the key of the user ``core``.

How SSH reaches the machines Vagrant knows only when they run: `coreops inventory import-ssh-config` adds that.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from coreops.errors import InputError, RefusedError, counted
from coreops.providers.namespace.host import write_atomically
from coreops.providers.namespace.keys import ensure_key
from coreops.providers.vagrant.lab_file import LabFile, machines

KEY: Final = "id_ed25519"
_MARK: Final = "# Written by `coreops lab vagrant` from lab.yml"
_HEADER: Final = (
    f"{_MARK}, and written again by the next `vagrant up`.\n"
    "# Put groups and variables of your own into other files of this folder (group_vars/, host_vars/, more.yml).\n"
)


def hosts_yaml(lab: LabFile, public_key: str) -> str:
    """Return hosts.yml. Pure."""
    import yaml

    groups: dict[str, dict[str, Any]] = {"store": {}, "workers": {}}
    for machine in machines(lab):
        groups["store" if machine.member else "workers"][machine.name] = {
            "private_ipv4": machine.address,
            "etcd_address": machine.address,
            "vagrant_prefix": machine.prefix,
            "vagrant_mac": machine.mac,
        }
    variables = {
        "ansible_user": "core",
        "ansible_become": True,
        "ansible_ssh_private_key_file": KEY,
        "node_ssh_keys": [public_key],
        "etcd_clock_skew": 3,  # a box has no time service of its own
    }
    children = {name: {"hosts": hosts} for name, hosts in groups.items() if hosts}
    tree = {"all": {"vars": variables, "children": children}}
    return _HEADER + str(yaml.safe_dump(tree, sort_keys=False, width=200))


def stale(vagrant_folder: Path, names: Collection[str]) -> tuple[str, ...]:
    """Return the machines that Vagrant has made and that lab.yml no longer has."""
    made = (path.parts[-3] for path in vagrant_folder.glob("machines/*/*/id"))
    return tuple(sorted({name for name in made if name not in names}))


def write(lab: LabFile, lab_file: Path, folder: Path) -> None:
    """Write the folder, where that changes anything. Raises InputError, RefusedError before anything is written."""
    if left := stale(lab_file.parent / ".vagrant", {machine.name for machine in machines(lab)}):
        raise RefusedError(
            f"{counted(len(left), 'machine')} of Vagrant's not in lab.yml: {', '.join(left)}",
            where=lab_file,
            why="they run, or may be started, and nobody would look after them",
            next=f"raise `instances` again; to remove them, first `vagrant destroy {' '.join(left)}`",
        )
    hosts = folder / "hosts.yml"
    there = hosts.read_text(errors="replace") if hosts.exists() else ""
    if there and not there.startswith(_MARK):
        raise InputError(
            f"{hosts} was not written by `coreops lab vagrant` and would be overwritten",
            next="choose another folder with --write, or move it away",
        )
    folder.mkdir(parents=True, exist_ok=True)
    key = ensure_key(folder / KEY, f"coreops-{lab.name_prefix}")
    text = hosts_yaml(lab, key.public)
    if text != there:
        write_atomically(hosts, text)
