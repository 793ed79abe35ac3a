"""etcd 0.4, etcd2 and fleet become what runs today: etcd-member, or a loss. Knows these sections and their units.

No image has etcd 0.4, etcd2 or fleet any more. etcd 3 takes etcd2's options but for a few; it begins without its data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from coreops.cloudconfig.convert.note import Note
from coreops.cloudconfig.convert.parts import below, items, put, put_below, text
from coreops.cloudconfig.convert.store import keys, options_of
from coreops.cloudconfig.convert.units import UNITS
from coreops.cloudconfig.loss import Loss
from coreops.cloudconfig.marked import Marked

MEMBER: Final = "etcd-member.service"
DEBIAN: Final = "etcd.service"
_GUIDE = "docs/migrating-from-coreos-cloudinit.md"
_OLD_UNITS = ("etcd.service", "etcd2.service")
_FLEET_UNITS = ("fleet.service", "fleet.socket")
_NO_FLEET = f"fleet ended in 2018 and no image has it ({_GUIDE}: Units of fleet)"
_DEPENDS = re.compile(r"(?m)^[ \t]*(?:After|Before|Requires|Requisite|Wants|BindsTo|BindTo|PartOf)[ \t]*=.*$")
_NEEDS = re.compile(r"(?m)^[ \t]*(?:Requires|Requisite|BindsTo|BindTo)[ \t]*=.*\b(fleet\.(?:service|socket))")
_PROGRAMS = re.compile(r"/usr/bin/(fleetctl|fleetd|fleet|etcd2|rkt)\b(?![-.])")
_FLEETD = re.compile(r"/usr/bin/fleetd?\s")
_V2 = re.compile(r"\betcdctl(?:\s+-\S+)*\s+(set|mk|mkdir|ls|rm|rmdir|setdir|update|updatedir|cluster-health)\b")


@dataclass(frozen=True, slots=True)
class Modern:
    """The document without what is gone, and what that takes away."""

    tree: Marked
    losses: tuple[Loss, ...]


def modern(tree: Marked, target: str, notes: list[Note]) -> Modern:
    """Move the store to ``coreos.etcd_member`` and take fleet out."""
    losses: list[Loss] = []
    proxy = text(tree, "coreos", "etcd2", "proxy") in ("on", "readonly")
    options = {} if proxy else options_of(tree, losses, notes)
    if proxy:
        why = "this node was a proxy, not a member; etcd 3 has `etcd grpc-proxy`, or clients name the members"
        losses += [Loss(f"coreos.etcd2.{key}", why) for key in keys(tree, "etcd2")]
    losses += [Loss(f"coreos.fleet.{key}", _NO_FLEET) for key in keys(tree, "fleet")]
    for section in ("etcd", "etcd2", "fleet"):
        if below(tree, "coreos", section) is not None:
            tree = put_below(tree, ("coreos", section), None)
    if options:
        tree = put_below(tree, ("coreos", "etcd_member"), Marked(options, tree.place))
    server = below(tree, "coreos", "update", "server")
    if server is not None and "core-os.net" in str(server.value):
        why = "CoreOS's update server is gone: leave it out, and Flatcar's own is asked"
        notes.append(Note("note", "coreos.update.server", why, server.place))
    return Modern(_units(tree, target, proxy, notes, losses), tuple(losses))


def _units(tree: Marked, target: str, proxy: bool, notes: list[Note], losses: list[Loss]) -> Marked:
    if below(tree, *UNITS) is None:
        return tree
    etcd = below(tree, "coreos", "etcd_member") is not None
    # Debian's etcd comes with its options; without any, cloud-init installs none.
    member = DEBIAN if target == "cloud-init" else MEMBER
    found = []
    for unit in items(tree, *UNITS):
        name, key = text(unit, "name"), f"coreos.units[{text(unit, 'name')}]"
        own = below(unit, "content") is not None
        if name in _FLEET_UNITS and (not own or _FLEETD.search(text(unit, "content") + "\n")):
            losses.append(Loss(key, _NO_FLEET))
            continue
        if own:
            unit = _contents(unit, key, member, notes)
        elif name in _OLD_UNITS:
            if proxy or (target == "cloud-init" and not etcd):
                why = "the node was a proxy of etcd" if proxy else "no etcd is configured, so none is installed"
                losses.append(Loss(key, why))
                continue
            notes.append(Note("changed", key, f"it is {member} now", unit.at(["name"])))
            unit = put(unit, "name", MEMBER)
        if below(unit, "drop_ins") is not None:
            parts = tuple(_contents(each, key, member, notes) for each in items(unit, "drop_ins"))
            unit = put(unit, "drop_ins", Marked(parts, unit.at(["drop_ins"])))
        found.append(unit)
    return put_below(tree, UNITS, Marked(tuple(found), tree.at(UNITS)) if found else None)


def _contents(holder: Marked, key: str, member: str, notes: list[Note]) -> Marked:
    """A unit's text, whose dependencies name the new etcd; what it still needs and nobody has is noted."""
    content = text(holder, "content")
    new = _DEPENDS.sub(lambda line: re.sub(r"(?<![\w@.-])etcd2?\.service\b", member, line[0]), content)
    at = holder.at(["content"])
    if new != content:
        notes.append(Note("changed", key, f"its dependencies name {member} now", at))
        holder = put(holder, "content", new)
    notes += [Note("note", key, f"{what}: change the unit", at) for what in _missing(content)]
    return holder


def _missing(content: str) -> Iterator[str]:
    for name in sorted(set(_PROGRAMS.findall(content))):
        yield f"it calls {name}, which no image has any more"
    for name in sorted(set(_NEEDS.findall(content))):
        yield f"it does not start without {name}, which no image has any more"
    for name in sorted(set(_V2.findall(content))):
        yield f"it calls etcdctl {name}, of the version 2 interface, which etcd 3.6 has not any more"
