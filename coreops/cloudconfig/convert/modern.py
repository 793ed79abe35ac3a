"""etcd 0.4, etcd2 and fleet become what runs today: etcd-member, or a loss. Knows these sections and their units.

No image has etcd 0.4, etcd2 or fleet any more. etcd 3 takes etcd2's options but for a few; it begins without its data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from coreops.cloudconfig.convert.note import Note
from coreops.cloudconfig.convert.parts import below, items, put, put_below, text
from coreops.cloudconfig.convert.units import UNITS
from coreops.cloudconfig.loss import Loss
from coreops.cloudconfig.marked import Marked

MEMBER: Final = "etcd-member.service"
DEBIAN: Final = "etcd.service"
_GUIDE = "docs/migrating-from-coreos-cloudinit.md"
_OLD_UNITS = ("etcd.service", "etcd2.service")
_FLEET_UNITS = ("fleet.service", "fleet.socket")
_NO_FLEET = f"fleet ended in 2018 and no image has it ({_GUIDE}: Units of fleet)"
_DATA = "no image has it any more; the data of the old store is not carried over"
_RENAMED = {"ca_file": "trusted_ca_file", "peer_ca_file": "peer_trusted_ca_file"}
_PROXY = ("proxy_dial_timeout", "proxy_failure_wait", "proxy_read_timeout", "proxy_refresh_interval")
_GONE = {
    "log_package_levels": "etcd 3.5 has one log level for all packages",
    "debug": "etcd 3.5 has no such option",
    **dict.fromkeys((*_PROXY, "proxy_write_timeout"), "a member is no proxy, and etcd 3.6 has none"),
}
_WRITTEN = {"debug": ("log_level", "debug")}
# etcd 0.4 -> etcd 3: the options that mean the same.
_SAME_AS_0_4 = {
    "name": "name",
    "discovery": "discovery",
    "cors": "cors",
    "ca_file": "trusted_ca_file",
    "cert_file": "cert_file",
    "key_file": "key_file",
    "peer_ca_file": "peer_trusted_ca_file",
    "peer_cert_file": "peer_cert_file",
    "peer_key_file": "peer_key_file",
    "peer_election_timeout": "election_timeout",
    "peer_heartbeat_interval": "heartbeat_interval",
    "snapshot_count": "snapshot_count",
}
# etcd 0.4's address -> what is advertised, what is listened on, and whose certificate makes it https.
_ADDRESSES = {
    "addr": ("advertise_client_urls", "listen_client_urls", "bind_addr", "cert_file"),
    "peer_addr": ("initial_advertise_peer_urls", "listen_peer_urls", "peer_bind_addr", "peer_cert_file"),
}
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
    options = {} if proxy else _options(tree, losses, notes)
    if proxy:
        why = "this node was a proxy, not a member; etcd 3 has `etcd grpc-proxy`, or clients name the members"
        losses += [Loss(f"coreos.etcd2.{key}", why) for key in _keys(tree, "etcd2")]
    losses += [Loss(f"coreos.fleet.{key}", _NO_FLEET) for key in _keys(tree, "fleet")]
    for section in ("etcd", "etcd2", "fleet"):
        if below(tree, "coreos", section) is not None:
            tree = put_below(tree, ("coreos", section), None)
    if options:
        tree = put_below(tree, ("coreos", "etcd_member"), Marked(options, tree.place))
    return Modern(_units(tree, target, proxy, notes, losses), tuple(losses))


def _keys(tree: Marked, section: str) -> list[str]:
    found = below(tree, "coreos", section)
    return list(found.value) if found is not None else []


def _options(tree: Marked, losses: list[Loss], notes: list[Note]) -> dict[str, Marked]:
    if not _keys(tree, "etcd2"):
        return _from_0_4(tree, losses, notes)
    losses += [
        Loss(f"coreos.etcd.{key}", "coreos.etcd2 is there too, and a node runs one etcd") for key in _keys(tree, "etcd")
    ]
    found = below(tree, "coreos", "etcd2")
    assert found is not None
    losses.append(Loss("coreos.etcd2", _DATA, "the same options of etcd-member (etcd 3)"))
    options: dict[str, Marked] = {}
    for key, each in found.value.items():
        if key == "proxy":
            notes.append(Note("changed", "coreos.etcd2.proxy", "off is what etcd 3 does anyway", each.place))
        elif key in _RENAMED:
            options.setdefault(_RENAMED[key], each)
            why = f"written as {_RENAMED[key]}, which trusts the same authority"
            notes.append(Note("changed", f"coreos.etcd2.{key}", why, each.place))
        elif key in _GONE:
            new = _WRITTEN.get(key)
            losses.append(Loss(f"coreos.etcd2.{key}", _GONE[key], f"{new[0]}: {new[1]}" if new else None))
            if new:
                options[new[0]] = replace(each, value=new[1])
        else:
            options[key] = each
    _discovery(found, "etcd2", notes)
    return options


def _discovery(section: Marked, name: str, notes: list[Note]) -> None:
    if (url := below(section, "discovery")) is not None:
        why = (
            "a token serves one cluster, once: give the new cluster a token of its own, or initial_cluster; "
            "etcd 3.7 has no discovery by URL"
        )
        notes.append(Note("note", f"coreos.{name}.discovery", why, url.place))


def _from_0_4(tree: Marked, losses: list[Loss], notes: list[Note]) -> dict[str, Marked]:
    old = below(tree, "coreos", "etcd")
    if old is None or not old.value:
        return {}
    losses.append(Loss("coreos.etcd", _DATA, "options of etcd-member (etcd 3)"))
    options: dict[str, Marked] = {}
    for name, (advertise, listen, bind, cert) in _ADDRESSES.items():
        if (address := below(old, name)) is None:
            continue
        scheme = "https" if text(old, cert) else "http"
        options[advertise] = replace(address, value=f"{scheme}://{address.value}")
        port = str(address.value).rpartition(":")[2]
        at = text(old, bind) or f"0.0.0.0:{port}"
        options[listen] = replace(address, value=f"{scheme}://{at if ':' in at else f'{at}:{port}'}")
        notes.append(Note("changed", f"coreos.etcd.{name}", f"written as {advertise} and {listen}", address.place))
    for key, each in old.value.items():
        if key in _SAME_AS_0_4:
            options.setdefault(_SAME_AS_0_4[key], each)
        elif key not in _ADDRESSES and not _is_bind(key, old):
            losses.append(Loss(f"coreos.etcd.{key}", "etcd 3 has no such option"))
    _discovery(old, "etcd", notes)
    return options


def _is_bind(key: str, old: Marked) -> bool:
    return any(key == bind and name in old.value for name, (_, _, bind, _) in _ADDRESSES.items())


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
