"""``lab.yml``, the knobs of ``vagrant/Vagrantfile``: read, checked each by itself, and what machines they make. Pure.

Knows the names that other programs have for things (a box, a port), and starts none of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any, Final

from yaml.nodes import MappingNode, Node, ScalarNode

from coreops.errors import InputError, did_you_mean
from coreops.model import Position
from coreops.providers.qemu.settings import Target
from coreops.yaml_marks import TAG, Walk, compose

CHANNELS: Final = ("stable", "beta", "alpha", "lts")
USER_DATA: Final = ("coreos", "cloud-init", "ignition")
DRIVERS: Final = ("kvm", "qemu")
FLATCAR: Final = "flatcar"
OWN_BOXES: Final[Mapping[str, Target]] = {"coreops-lab": "cloud-init", "coreops-lab-ignition": "ignition"}
"""What `coreops lab box` builds, and what reads the user-data in it."""
MOST: Final = 99
"""Machines: the number in a name has two digits, and the first address of the network is .101."""
_LARGEST_STORE: Final = 7
_FIRST_ADDRESS: Final = 101
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}(?<!-)")
_BOX = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


@dataclass(frozen=True, slots=True)
class LabFile:
    """What lab.yml says. box_url: where a box comes from that was not added by hand; "" for one that was."""

    instances: int = 3
    members: int = 3
    name_prefix: str = "core"
    box: str = FLATCAR
    box_url: str = ""
    channel: str = "stable"
    user_data: str = "coreos"
    memory: int = 1024
    cpus: int = 1
    network: IPv4Network = field(default_factory=lambda: IPv4Network("172.17.8.0/24"))
    forwarded_ports: Mapping[int, int] = field(default_factory=dict)
    shared_folders: Mapping[str, str] = field(default_factory=dict)
    serial_log: bool = False
    libvirt_driver: str = "kvm"
    bootstrap: bool = True


@dataclass(frozen=True, slots=True)
class VagrantMachine:
    """One machine. ports: of the guest, with the host's. mac: of the interface that has the address."""

    name: str
    member: bool
    address: str
    prefix: int
    mac: str
    ports: Mapping[int, int]


class _Reader(Walk):
    """The values of the nodes of lab.yml, each refused with its place when it is not what its knob takes."""

    def wrong(self, node: Node, what: str, why: str | None = None, next: str | None = None) -> InputError:
        return InputError(what, where=self.at(node), why=why, next=next)

    def plain(self, node: Node) -> Any:
        return self.scalar(node) if isinstance(node, ScalarNode) else None

    def pairs(self, node: Node, knob: str) -> list[tuple[ScalarNode, Node]]:
        """The entries of a mapping. An empty value is an empty mapping."""
        if isinstance(node, ScalarNode) and self.scalar(node) is None:
            return []
        if not isinstance(node, MappingNode):
            raise self.wrong(node, f"{knob} must be a mapping", next="write one `name: value` a line")
        first: dict[Any, Position] = {}
        found = []
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise self.no_key(key)
            word = self.scalar(key)
            if word in first:
                raise self.duplicate(word, self.at(key), first[word])
            first[word] = self.at(key)
            found.append((key, value))
        return found


Check = Callable[[_Reader, Node, str], Any]


def _found(value: object, node: Node) -> str:
    return f"found {value!r:.80}" if isinstance(node, ScalarNode) else "found a mapping or a list"


def _number(least: int, most: int, unit: str = "") -> Check:
    def check(read: _Reader, node: Node, knob: str) -> int:
        value = read.plain(node)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise read.wrong(node, f"{knob} must be a number from {least} to {most}{unit}", _found(value, node))
        return value

    return check


def _one_of(*words: str) -> Check:
    def check(read: _Reader, node: Node, knob: str) -> str:
        value = read.plain(node)
        if value not in words:
            hint = did_you_mean(value, words) if isinstance(value, str) else None
            raise read.wrong(node, f"{knob} must be one of {', '.join(words)}", _found(value, node), hint)
        return str(value)

    return check


def _word(pattern: re.Pattern[str], why: str) -> Check:
    def check(read: _Reader, node: Node, knob: str) -> str:
        value = read.plain(node)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            what = f"{value!r}" if isinstance(node, ScalarNode) else "a mapping or a list"
            raise read.wrong(node, f"{what} cannot be the {knob}", why)
        return value

    return check


def _truth(read: _Reader, node: Node, knob: str) -> bool:
    value = read.plain(node)
    if not isinstance(value, bool):
        raise read.wrong(node, f"{knob} must be true or false", _found(value, node))
    return value


def _network(read: _Reader, node: Node, knob: str) -> IPv4Network:
    value = read.plain(node)
    try:
        network = IPv4Network(value) if isinstance(value, str) else None
    except ValueError as error:
        raise read.wrong(node, f"{value!r} is not a network", str(error), "write it like 172.17.8.0/24") from None
    if network is None or network.prefixlen > 24 or not network.is_private:
        raise read.wrong(node, f"{knob} must be a private network of at least 256 addresses", _found(value, node))
    return network


def _port(read: _Reader, node: Node, knob: str) -> int:
    return int(_number(1, 65535)(read, node, f"a port in {knob}"))


def _ports(read: _Reader, node: Node, knob: str) -> dict[int, int]:
    found: dict[int, int] = {}
    for key, value in read.pairs(node, knob):
        host = _port(read, value, knob)
        if host in found.values():
            raise read.wrong(value, f"port {host} of this machine is forwarded twice")
        found[_port(read, key, knob)] = host
    return found


def _folders(read: _Reader, node: Node, knob: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in read.pairs(node, knob):
        host, guest = read.plain(key), read.plain(value)
        if not isinstance(host, str) or not isinstance(guest, str) or not guest.startswith("/"):
            raise read.wrong(value, f"{knob}: a folder here, then an absolute path in the machine")
        if guest == "/usr" or guest.startswith("/usr/"):
            raise read.wrong(value, f"{guest} cannot be a shared folder", "/usr is read-only in the machine")
        found[host] = guest
    return found


KNOBS: Final[Mapping[str, Check]] = {
    "instances": _number(1, MOST),
    "members": _number(1, _LARGEST_STORE),
    "name_prefix": _word(_NAME, "small letters, digits and -, a letter first: it becomes a host name"),
    "box": _word(_BOX, "a box is called NAME or OWNER/NAME"),
    "box_url": _word(re.compile(r"(https?|file)://\S+|[./~]\S*"), "an https:// address, or the path of a file"),
    "channel": _one_of(*CHANNELS),
    "user_data": _one_of(*USER_DATA),
    "memory": _number(256, 1024 * 1024, " MiB"),
    "cpus": _number(1, 256),
    "network": _network,
    "forwarded_ports": _ports,
    "shared_folders": _folders,
    "serial_log": _truth,
    "libvirt_driver": _one_of(*DRIVERS),
    "bootstrap": _truth,
}


def parse(text: str, file: str) -> LabFile:
    """Return what lab.yml says. Raises InputError with file, line and column."""
    root = compose(text, file)
    read = _Reader(file)
    values: dict[str, Any] = {}
    nodes: dict[str, Node] = {}
    for key, node in [] if root is None else read.pairs(root, "lab.yml"):
        knob = str(read.plain(key))
        if knob not in KNOBS:
            hint = did_you_mean(knob, KNOBS) or f"there are: {', '.join(KNOBS)}"
            raise read.wrong(key, f"unknown knob {knob!r}", next=hint)
        if node.tag == TAG + "null" and knob not in ("forwarded_ports", "shared_folders"):
            raise read.wrong(key, f"{knob} has no value", next="give it one, or remove the line for the default")
        values[knob], nodes[knob] = KNOBS[knob](read, node, knob), node
    values.setdefault("members", _store(values.get("instances", LabFile().instances)))
    values.setdefault("user_data", OWN_BOXES.get(values.get("box", FLATCAR), "coreos"))
    lab = LabFile(**values)
    _agree(lab, read, nodes)
    return lab


def _store(instances: int) -> int:
    """The largest store that so many machines can have."""
    return min(instances - (instances + 1) % 2, _LARGEST_STORE)


def _agree(lab: LabFile, read: _Reader, nodes: Mapping[str, Node]) -> None:
    """Raise InputError where two knobs contradict each other."""
    if lab.members > lab.instances or lab.members % 2 == 0:
        node = nodes["members"]
        why = f"there are {lab.instances} instances" if lab.members > lab.instances else "an even store is no safer"
        raise read.wrong(node, f"the store cannot have {lab.members} members", why, "use 1, 3, 5 or 7")
    if lab.box in OWN_BOXES and lab.user_data != OWN_BOXES[lab.box]:
        why = f"the box {lab.box} has Debian's {OWN_BOXES[lab.box]}, and nothing that reads {lab.user_data}"
        raise read.wrong(nodes["user_data"], f"{lab.user_data} is not for this box", why, "remove the line")
    _ports_apart(lab, read, nodes)


def _ports_apart(lab: LabFile, read: _Reader, nodes: Mapping[str, Node]) -> None:
    """Each machine has ports of its own: on the host, the n-th machine's are n-1 higher than the first's."""
    taken: dict[int, str] = {}
    for machine in machines(lab):
        for guest, host in machine.ports.items():
            node = nodes["forwarded_ports"]
            if host > 65535:
                raise read.wrong(
                    node, f"{machine.name} would have its port {guest} at {host}", "the last port is 65535"
                )
            if host in taken:
                raise read.wrong(
                    node,
                    f"port {host} would be that of {taken[host]} and of {machine.name}",
                    "the n-th machine's ports are n-1 higher than the first's",
                    f"keep the ports at least {lab.instances} apart",
                )
            taken[host] = machine.name


def machines(lab: LabFile) -> tuple[VagrantMachine, ...]:
    """Return the machines, in order. Pure: the same lab.yml has the same names and addresses."""
    found = []
    for number in range(1, lab.instances + 1):
        address = lab.network[_FIRST_ADDRESS + number - 1]
        # A MAC of its own on every network: user-data finds the interface by it.
        mac = "52:54:" + ":".join(f"{byte:02x}" for byte in address.packed)
        ports = {guest: host + number - 1 for guest, host in lab.forwarded_ports.items()}
        name = f"{lab.name_prefix}-{number:02d}"
        found.append(VagrantMachine(name, number <= lab.members, str(address), lab.network.prefixlen, mac, ports))
    return tuple(found)
