"""What runs otherwise though the same is written: once instead of on every boot, in another order, for another user.

Knows what is particular to a target; changes the document only where another user or nobody would have the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from coreops.cloudconfig.convert.note import Note
from coreops.cloudconfig.convert.parts import below, items, put, put_below, text
from coreops.cloudconfig.convert.units import UNITS
from coreops.cloudconfig.loss import Loss
from coreops.cloudconfig.marked import Marked, mark

_WRITTEN: Final = re.compile(r"COREOS_(PUBLIC|PRIVATE)_IPV[46]")
_FILE: Final = "/etc/environment"
_READ: Final = re.compile(r"(?m)^[ \t]*EnvironmentFile[ \t]*=[ \t]*/etc/environment[ \t]*$")
_ONCE: Final = {
    "ignition": "Ignition reads it once, before the first boot",
    "butane": "Ignition reads it once, before the first boot",
    "cloud-init": "cloud-init reads it once for each instance-id",
}
# A key, and what it does under a target, given that the document has it.
_OTHERWISE: Final[Mapping[str, Mapping[tuple[str, ...], str]]] = {
    "ignition": {
        ("write_files",): "written once, before the first boot; coreos-cloudinit wrote it anew on every boot",
        ("users",): "made once, before the first boot; a password that is changed on the node stays",
        UNITS: "started by systemd when their dependencies say, at once where none do; "
        "coreos-cloudinit ran each command in the order of the list and waited: add After= where the order matters",
    },
    "cloud-init": {
        ("write_files",): "written once for each instance-id; coreos-cloudinit wrote it anew on every boot",
        UNITS: "their commands run once, in the order of the list, late in the first boot; what must run after "
        "every boot needs enable and an [Install] section",
        ("ssh_authorized_keys",): "they are for the image's own user (debian, ubuntu), not for core",
    },
}


def otherwise(tree: Marked, target: str, notes: list[Note]) -> Marked:
    """Note what runs otherwise. On Debian the user core, which is in CoreOS's image, gets the rights it has there."""
    if target not in _ONCE:
        return tree
    notes.append(Note("note", "the whole file", f"{_ONCE[target]}; coreos-cloudinit applied it on every boot"))
    for path, why in _OTHERWISE["ignition" if target == "butane" else target].items():
        found = below(tree, *path)
        commands = path != UNITS or any(below(unit, "command") is not None for unit in items(tree, *UNITS))
        if found is not None and found.value and commands:
            notes.append(Note("note", ".".join(path), why, found.key or found.place))
    return _core(tree, notes) if target == "cloud-init" else tree


def _core(tree: Marked, notes: list[Note]) -> Marked:
    users = []
    for user in items(tree, "users"):
        if text(user, "name") == "core":
            why = (
                "Debian has no user core: it is made, with bash and with sudo without a password, as in CoreOS's image"
            )
            notes.append(Note("changed", "users[core]", why, user.place))
            user = put(put(user, "groups", ("sudo",)), "shell", "/bin/bash")
        users.append(user)
    return put(tree, "users", Marked(tuple(users), tree.at(["users"]))) if users else tree


def environment(
    tree: Marked, target: str, addresses: Mapping[str, str], notes: list[Note], losses: list[Loss]
) -> Marked:
    """/etc/environment: coreos-cloudinit wrote COREOS_PRIVATE_IPV4 and its like there, and many units read it."""
    if target not in _ONCE or any(text(file, "path") == _FILE for file in items(tree, "write_files")):
        return tree
    for name in sorted({match[0] for each in _contents(tree) for match in _WRITTEN.finditer(each)}):
        address = addresses.get(name.removeprefix("COREOS_").lower())
        if address:
            tree = put_below(tree, ("environment", name), mark(address, tree.place))
        else:
            why = "coreos-cloudinit wrote it on every boot, and a file or a unit here uses it"
            losses.append(Loss(f"{name} in {_FILE}", f"{why}; it is written with --address"))
    if target == "cloud-init" or below(tree, "environment") or not any(map(_READ.search, _contents(tree))):
        return tree
    notes.append(Note("changed", _FILE, "an empty one is written: units here do not start without it"))
    files = (*items(tree, "write_files"), mark({"path": _FILE}, tree.place))
    return put(tree, "write_files", Marked(files, tree.at(["write_files"])))


def _contents(tree: Marked) -> list[str]:
    holders = [*items(tree, "write_files"), *items(tree, *UNITS)]
    holders += [each for unit in items(tree, *UNITS) for each in items(unit, "drop_ins")]
    return [text(each, "content") for each in holders]
