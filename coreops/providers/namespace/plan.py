"""What a lab consists of, as it is written to its state file. Pure: names, addresses and zones are decided here."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from ipaddress import IPv4Network
from typing import Any

from coreops.errors import InputError

MAX_NODES = 200
_FIRST_HOST = 10
_POOL = IPv4Network("10.77.0.0/16")


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One node: what makes it different from the others."""

    name: str
    address: str
    zone: str
    machine_id: str


@dataclass(frozen=True, slots=True)
class LabPlan:
    """One lab. image: the cached image its disks were made from, "" before the first boot. inventories: the folders it
    was written to. cloud_init: its nodes boot from user-data, by an image that has cloud-init. driver, firmware: what
    its nodes are (``driver``). extra: what their image has beside (``flavour.EXTRAS``).
    """

    name: str
    subnet: str
    zones: int
    image: str
    nodes: tuple[NodePlan, ...] = ()
    inventories: tuple[str, ...] = ()
    cloud_init: bool = False
    driver: str = "namespace"
    firmware: str = "gptprio"
    extra: str = ""

    @property
    def controller_address(self) -> str:
        """The host's own address in the lab."""
        return str(IPv4Network(self.subnet)[1])

    @property
    def prefix(self) -> int:
        return IPv4Network(self.subnet).prefixlen

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> LabPlan:
        raw: dict[str, Any] = json.loads(text)
        raw["nodes"] = tuple(NodePlan(**node) for node in raw["nodes"])
        raw["inventories"] = tuple(raw["inventories"])
        return cls(**raw)

    def grown(self, nodes: int) -> LabPlan:
        """Add nodes up to the number wanted; those that exist stay as they are. Raises InputError."""
        if nodes < len(self.nodes):
            raise InputError(
                f"lab {self.name!r} has {len(self.nodes)} nodes, and {nodes} were asked for",
                next=f"coreops lab down --name {self.name}, then up again; or leave --nodes out",
            )
        if not 1 <= nodes <= MAX_NODES:
            raise InputError(f"--nodes must be between 1 and {MAX_NODES}, not {nodes}")
        hosts = IPv4Network(self.subnet)
        added = tuple(
            NodePlan(
                name=f"n{index}",
                address=str(hosts[_FIRST_HOST + index]),
                zone=f"z{(index - 1) % self.zones + 1}",
                machine_id=uuid.uuid4().hex,
            )
            for index in range(len(self.nodes) + 1, nodes + 1)
        )
        return replace(self, nodes=self.nodes + added)


def free_subnet(used: Iterable[IPv4Network]) -> IPv4Network:
    """Return the first /24 of 10.77.0.0/16 that overlaps nothing in use. Raises InputError."""
    # A default route overlaps everything and says nothing about what is in use.
    taken = [network for network in used if network.prefixlen > 0 and network.overlaps(_POOL)]
    for subnet in _POOL.subnets(new_prefix=24):
        if not any(subnet.overlaps(network) for network in taken):
            return subnet
    raise InputError(
        f"no free /24 in {_POOL} for another lab",
        why="routes or other labs of this machine use all of it",
        next="coreops lab down a lab that is no longer needed",
    )
