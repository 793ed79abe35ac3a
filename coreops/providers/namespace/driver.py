"""What a lab asks of the kind of machine that its nodes are. A driver is a module with these functions.

``namespace`` nodes are containers that share the host's kernel; ``qemu`` nodes are virtual machines with real firmware
and a kernel of their own. Names, addresses, keys, the bridge and the inventory are the lab's, and the same for both; so
is the way a lab ends: whatever a driver starts lives in the lab's cgroups and network namespaces, and below its folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from coreops.errors import InputError, did_you_mean
from coreops.events import Emit

if TYPE_CHECKING:
    from coreops.providers.namespace.cloud_init import Report
    from coreops.providers.namespace.flavour import Flavour
    from coreops.providers.namespace.keys import KeyPair
    from coreops.providers.namespace.names import LabNames, NodeNames
    from coreops.providers.namespace.node import NodeStatus
    from coreops.providers.namespace.plan import LabPlan, NodePlan

FIRMWARES: Final[Mapping[str, tuple[str, ...]]] = {"namespace": ("gptprio",), "qemu": ("uefi", "gptprio")}
"""Driver -> the firmwares its nodes can have, the usual one first."""


class Image(Protocol):
    """An image in the cache."""

    @property
    def folder(self) -> Path: ...

    @property
    def disk(self) -> Path:
        """The disk of a new node."""
        ...

    def usr(self, release: str) -> Path:
        """What goes into a USR partition."""
        ...

    def kernel_of(self, release: str) -> Path | None:
        """The release's kernel, as a boot manager loads it; None where nodes have the host's."""
        ...


class Driver(Protocol):
    """One kind of machine."""

    @property
    def BOOT_SECONDS(self) -> float:
        """How long a node may take from power on to ssh."""
        ...

    @property
    def ACTIONS(self) -> Mapping[str, Callable[[NodeNames], None]]:
        """What ``chaos`` can do to a node. Each returns when its effect has been read back."""
        ...

    def require_programs(self, *, build: bool) -> None:
        """Check that this machine has what nodes are run with, and images built. Raises InputError."""
        ...

    def require_room(self, names: LabNames, nodes: int) -> None:
        """Check that it can carry a lab of so many nodes, some of which may run already. Raises InputError."""
        ...

    def image(self, flavour: Flavour) -> Image:
        """The image of today's recipe, whether or not it has been built."""
        ...

    def cached(self, name: str) -> Image:
        """An image by its folder's name in the cache."""
        ...

    def build(self, emit: Emit, flavour: Flavour) -> Image:
        """The image of today's recipe, built if it is not in the cache."""
        ...

    def prepare(self, names: LabNames, plan: LabPlan, emit: Emit) -> None:
        """Make what all nodes share on the host, as far as it is missing."""
        ...

    def create(
        self, names: NodeNames, plan: LabPlan, node: NodePlan, template: Path, host_key: KeyPair, authorized: str
    ) -> None:
        """Make the node's disk and identity, as far as they are missing."""
        ...

    def connect(self, names: NodeNames, plan: LabPlan, node: NodePlan) -> None:
        """Make the node's link to the bridge, as far as it is missing. A link that is cut stays cut."""
        ...

    def launch(self, names: NodeNames) -> None:
        """Switch the node on. It outlives the caller."""
        ...

    def was_on(self, names: NodeNames) -> bool:
        """Say whether the node has been switched on before."""
        ...

    def wait_ready(self, names: NodeNames, node: NodePlan, timeout: float) -> None:
        """Wait until the node lets people in over ssh. Raises CoreopsError with the end of its console."""
        ...

    def cloud_init_report(self, names: NodeNames, node: NodePlan) -> Report | None:
        """What the node's cloud-init made of its user-data; None as long as it is at work. May wait for it."""
        ...

    def status(self, names: NodeNames, node: NodePlan) -> NodeStatus:
        """Read how the node is."""
        ...

    def clear(self, names: NodeNames) -> None:
        """End what is left of a node. Its disk keeps its content."""
        ...

    def sweep(self, names: LabNames) -> None:
        """End what runs of any node and give back what the host lent, found by scanning it. Files are not deleted."""
        ...


def check(driver: str, firmware: str | None) -> str:
    """Check the two names and return the firmware. Raises InputError."""
    if driver not in FIRMWARES:
        raise InputError(
            f"there is no lab driver {driver!r}",
            why=did_you_mean(driver, FIRMWARES),
            next=f"use one of {', '.join(FIRMWARES)}",
        )
    known = FIRMWARES[driver]
    if firmware is not None and firmware not in known:
        raise InputError(
            f"{driver} nodes cannot have the firmware {firmware!r}",
            why=did_you_mean(firmware, known),
            next=f"use {' or '.join(known)}" + ("; or --driver qemu" if firmware in FIRMWARES["qemu"] else ""),
        )
    return firmware or known[0]


def of(name: str) -> Driver:
    """Return a driver by its name, which ``check`` has seen."""
    if name == "qemu":
        from coreops.providers.qemu import lab

        return lab
    from coreops.providers.namespace import nspawn

    return nspawn
