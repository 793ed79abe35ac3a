"""What the provider keeps of clusters and machines: folders keyed by their marks, a record in each. Decides addresses.

The record of a machine is written before anything of it is made, so whatever a killed run leaves is found and can be
destroyed. Nothing here knows QEMU.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

from coreops.errors import CoreopsError
from coreops.providers.namespace.host import write_atomically
from coreops.providers.namespace.names import LabNames, NodeNames
from coreops.providers.namespace.plan import LabPlan
from coreops.providers.protocol import mark
from coreops.providers.qemu.network import mac
from coreops.providers.qemu.settings import usable

POOL: Final = IPv4Network("10.78.0.0/16")
_FIRST_HOST: Final = 11
_MACHINE, _CLUSTER = "machine.json", "cluster.json"


def state_root() -> Path:
    """The folder of all machines that the provider has made."""
    return Path(os.environ.get("COREOPS_QEMU_STATE") or "/var/lib/coreops/qemu").resolve()


@dataclass(frozen=True, slots=True)
class Record:
    """One machine as it was made. id: another one each time that the node is made anew."""

    node: str
    cluster: str
    id: str
    address: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one machine's things are."""

    cluster: Cluster
    node: str

    @property
    def folder(self) -> Path:
        return self.cluster.nodes_folder / mark(self.cluster.name, self.node)

    @property
    def vm(self) -> Path:
        """What belongs to the machine when it runs; the folder above is locked while it is made or removed."""
        return self.folder / "vm"

    @property
    def host_key(self) -> Path:
        return self.folder / "host_key"

    @property
    def tap(self) -> str:
        """The kernel allows 15 characters."""
        return "t" + mark(self.cluster.name, self.node)[:12]

    @property
    def port(self) -> NodeNames:
        return self.cluster.names.node(self.tap)

    @property
    def mac(self) -> str:
        return mac(mark(self.cluster.name, self.node))

    def record(self) -> Record | None:
        """What was made, if anything was. Raises CoreopsError for a record that is damaged."""
        return _read(self.folder / _MACHINE)

    def write(self, record: Record) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(self.folder / _MACHINE, json.dumps(asdict(record), indent=1) + "\n", 0o600)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the things of one cluster are."""

    name: str
    root: Path

    @property
    def names(self) -> LabNames:
        """Its switch, named as that of a lab; no lab's name may have that many letters.

        The folder counts: two that are kept apart may have clusters of one name.
        """
        return LabNames(f"q-{mark(self.name, str(self.root))[:20]}", self.root)

    @property
    def folder(self) -> Path:
        return self.names.folder

    @property
    def nodes_folder(self) -> Path:
        return self.folder / "nodes"

    def plan(self, subnet: str) -> LabPlan:
        """What the network of a lab wants to know."""
        return LabPlan(self.names.lab, subnet, 1, "")

    def subnet(self) -> str | None:
        """The network that it was given, if it was."""
        with suppress(FileNotFoundError):
            return str(json.loads((self.folder / _CLUSTER).read_text())["subnet"])
        return None

    def settle(self, subnet: str) -> None:
        """Keep its network."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        told = {"cluster": self.name, "subnet": subnet}
        write_atomically(self.folder / _CLUSTER, json.dumps(told) + "\n")

    def records(self) -> Iterator[Record]:
        """All its machines, in the order of their names."""
        found = (_read(file) for file in self.nodes_folder.glob(f"*/{_MACHINE}"))
        mine = [each for each in found if each and each.cluster == self.name]
        return iter(sorted(mine, key=lambda each: each.node))

    def place(self, node: str) -> Place:
        return Place(self, node)


def _read(file: Path) -> Record | None:
    try:
        return Record(**json.loads(file.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise CoreopsError(
            "the record of a machine cannot be read",
            where=file,
            why=str(error),
            next="end its process if there is one, then remove its folder",
        ) from None


def subnets(root: Path) -> Iterator[IPv4Network]:
    """The networks of all clusters, up or not."""
    for file in root.glob(f"*/{_CLUSTER}"):
        with suppress(FileNotFoundError):
            yield IPv4Network(json.loads(file.read_text())["subnet"])


def of_node(root: Path, node: str) -> Iterator[Place]:
    """Where the machines called so are, in every cluster there is."""
    for file in root.glob(f"*/{_CLUSTER}"):
        with suppress(FileNotFoundError):
            place = Cluster(str(json.loads(file.read_text())["cluster"]), root).place(node)
            if place.folder.exists():
                yield place


def new_id(cluster: str, node: str) -> str:
    """A name for a machine that no earlier one had."""
    return f"qemu-{mark(cluster, node)[:8]}-{secrets.token_hex(4)}"


def free_subnet(used: Iterable[IPv4Network]) -> str:
    """The first free network of the pool. Raises CoreopsError. Pure."""
    taken = [network for network in used if network.prefixlen > 0]
    for subnet in POOL.subnets(new_prefix=24):
        if not any(subnet.overlaps(network) for network in taken):
            return str(subnet)
    raise CoreopsError(f"no /24 of {POOL} is free", why="routes of this machine, or other clusters, use all of them")


def free_address(subnet: str, used: Iterable[str]) -> str:
    """The first free address for a machine. Raises CoreopsError. Pure."""
    network, taken = IPv4Network(subnet), {IPv4Address(each) for each in used}
    first = min(_FIRST_HOST, network.num_addresses // 2)
    for number in range(first, network.num_addresses):
        if network[number] not in taken and usable(network[number], network):
            return str(network[number])
    raise CoreopsError(f"no address of {subnet} is free", next="name a larger one with qemu_network")
