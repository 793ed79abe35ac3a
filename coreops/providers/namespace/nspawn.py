"""The lab driver ``namespace``: nodes are systemd-nspawn containers, and the launcher plays their firmware."""

from __future__ import annotations

from pathlib import Path

from coreops.events import Emit
from coreops.providers.namespace import cgroup, chaos, cloud_init, disk, network, udev
from coreops.providers.namespace import image as images
from coreops.providers.namespace import node as nodes
from coreops.providers.namespace.host import lock_held, require_inotify, require_programs
from coreops.providers.namespace.image import Image
from coreops.providers.namespace.keys import KeyPair
from coreops.providers.namespace.names import LabNames, NodeNames
from coreops.providers.namespace.node import clear, launch, status, wait_ready
from coreops.providers.namespace.plan import LabPlan, NodePlan

__all__ = [
    "ACTIONS",
    "BOOT_SECONDS",
    "build",
    "cached",
    "clear",
    "cloud_init_report",
    "connect",
    "create",
    "image",
    "launch",
    "prepare",
    "require_programs",
    "require_room",
    "status",
    "sweep",
    "wait_ready",
    "was_on",
]

BOOT_SECONDS = 180.0
ACTIONS = chaos.ACTIONS
image = images.current
build = images.ensure
connect = network.ensure_node


def require_room(names: LabNames, nodes: int) -> None:
    """Check that the nodes that do not run yet can watch files. Raises InputError."""
    require_inotify(nodes - sum(lock_held(lock) for lock in names.nodes_folder.glob("*/launcher.lock")))


def cached(name: str) -> Image:
    return Image(images.cache_root() / name)


def prepare(names: LabNames, plan: LabPlan, emit: Emit) -> None:
    udev.ensure(names)
    network.ensure_switch(names, plan)


def create(names: NodeNames, plan: LabPlan, node: NodePlan, template: Path, host_key: KeyPair, authorized: str) -> None:
    nodes.ensure_files(names, node, template, host_key, authorized)


def cloud_init_report(names: NodeNames, node: NodePlan) -> cloud_init.Report | None:
    return cloud_init.report(names)


def was_on(names: NodeNames) -> bool:
    return bool(nodes.run_state(names))


def sweep(names: LabNames) -> None:
    # Launchers first: one that is alive would start its node again.
    for group in sorted(cgroup.children(names.cgroup), key=lambda child: "/launcher-" not in child):
        cgroup.kill(group)
    cgroup.kill(names.cgroup)
    for loop in disk.loops_below(names.folder):
        disk.detach(loop)
    udev.remove(names)
