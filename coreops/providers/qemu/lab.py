"""The lab driver ``qemu``: nodes are virtual machines with real firmware and a kernel of their own.

One lab's machines hang on the same bridge as containers would, and are read from outside: process, disk and console.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Final

from coreops.errors import CoreopsError, InputError
from coreops.events import Emit
from coreops.providers.namespace import cloud_init, ssh
from coreops.providers.namespace import node as nodes
from coreops.providers.namespace.disk import MIB, copy_image
from coreops.providers.namespace.host import missing_packages, wait_until, write_atomically
from coreops.providers.namespace.image import cache_root
from coreops.providers.namespace.keys import KeyPair
from coreops.providers.namespace.names import LabNames, NodeNames
from coreops.providers.namespace.network import ensure_switch, is_cut
from coreops.providers.namespace.node import NodeStatus
from coreops.providers.namespace.plan import LabPlan, NodePlan
from coreops.providers.qemu import birth, console, machine, network, observed, process, seed, start
from coreops.providers.qemu import image as images
from coreops.providers.qemu.chaos import ACTIONS as ACTIONS
from coreops.providers.qemu.image import Image
from coreops.providers.qemu.start import MEMORY

image = images.current
build = images.ensure
BOOT_SECONDS = 600.0
"""Without KVM, and with other things to do, a machine takes its time."""
PROGRAMS: Final = {
    **machine.PACKAGES,
    "ssh": "openssh-client",
    "sfdisk": "fdisk",
    "mtype": "mtools",
    "unsquashfs": "squashfs-tools",
}
_PANICS: Final = 4
"""A slot that panics may be on its last try, and the other one come up."""
_OVERHEAD: Final = 256
_GROWS: Final = 1024
"""MiB of disk that a node may come to need: its disk has holes, and an upgrade fills some."""


def require_programs(*, build: bool) -> None:
    """Check the programs that machines are run with, and images built. Raises one InputError."""
    missing = missing_packages(PROGRAMS | (images.PROGRAMS if build else {}))
    if missing:
        raise InputError(
            f"programs are missing on this machine: {', '.join(sorted(missing))}",
            why="the lab's virtual machines are built and started with them",
            next=f"apt-get install --no-install-recommends {' '.join(sorted(set(missing.values())))}",
        )


def require_room(names: LabNames, nodes: int) -> None:
    """Check memory and disk for the nodes that do not run, or do not exist yet. Raises InputError."""
    folders = [names.node(f"n{number}").folder for number in range(1, nodes + 1)]
    memory = (MEMORY + _OVERHEAD) * sum(process.holder(folder) is None for folder in folders)
    disk = _GROWS * sum(not (folder / "disk.img").exists() for folder in folders)
    for what, needed, free, less in (
        ("memory", memory, _available_memory(), "free some"),
        (
            f"space below {names.root}",
            disk,
            _free_space(names.root),
            "free some, or set COREOPS_LAB_STATE to a larger disk",
        ),
    ):
        if needed > free:
            raise InputError(
                f"this machine has too little {what} for {nodes} virtual machines",
                why=f"{needed} MiB are needed, and {free} MiB are free",
                next=f"{less}; or fewer --nodes",
            )


def _available_memory() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("MemAvailable:"))


def _free_space(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free // MIB


def cached(name: str) -> Image:
    return Image(cache_root() / name)


def prepare(names: LabNames, plan: LabPlan, emit: Emit) -> None:
    if plan.cloud_init:
        birth.tool()
    ensure_switch(names, plan)
    start.accelerator(emit)


def create(names: NodeNames, plan: LabPlan, node: NodePlan, template: Path, host_key: KeyPair, authorized: str) -> None:
    """Make the node's disk and what it is given on its first boot, as far as they are missing."""
    names.folder.mkdir(parents=True, exist_ok=True)
    if not names.disk.exists():
        files = nodes.own_files(node, host_key, authorized)
        files["etc/systemd/network/50-lab.network"] = 0o644, _network(plan, node)
        if plan.cloud_init:
            files["etc/cloud/cloud.cfg.d/99_network.cfg"] = 0o644, "network:\n  config: disabled\n"
        write_atomically(start.seed_file(names), seed.pack(files), 0o600)
        shutil.copyfile(cached(plan.image).ovmf_vars, start.vars_file(names))
        copy_image(template, names.disk)


def _network(plan: LabPlan, node: NodePlan) -> str:
    return (
        f"[Match]\nMACAddress={start.mac(node)}\n\n[Network]\nAddress={node.address}/{plan.prefix}\nIPv6AcceptRA=no\n"
    )


def connect(names: NodeNames, plan: LabPlan, node: NodePlan) -> None:
    network.ensure_tap(names.lab.switch, names.node)


def launch(names: NodeNames) -> None:
    start.start(names)


def was_on(names: NodeNames) -> bool:
    return names.log.exists()


def wait_ready(names: NodeNames, node: NodePlan, timeout: float) -> None:
    """Wait until the node lets people in over ssh. Raises CoreopsError with the end of its console."""

    def trouble() -> str | None:
        if machine.pid(names.folder) is None:
            return "the node did not come up: its machine ended"
        boot = console.read(names.log)
        if boot.emergency:
            return "the node's systemd went into emergency mode"
        if boot.panics >= _PANICS:
            return f"the node's kernel gave up {boot.panics} times"
        return "the node has no bootable slot" if boot.unbootable else None

    # A node that is cut cannot be asked; that it has begun is all that can be seen.
    cut = is_cut(names)

    def ready() -> bool:
        return console.read(names.log).partition is not None if cut else answers(names, node)

    came_up = False

    def settled() -> bool:
        nonlocal came_up
        came_up = ready()
        return came_up or trouble() is not None

    wait_until(settled, timeout, interval=1.0)
    if not came_up:
        raise CoreopsError(
            trouble() or f"the node did not answer on ssh within {timeout:g} s",
            where=node.name,
            why=machine.tail(names.folder) or "its console is empty",
            next=f"coreops lab logs {node.name} --name {names.lab.lab}; coreops lab down --name {names.lab.lab}",
        )


def answers(names: NodeNames, node: NodePlan) -> bool:
    """Say whether core can log in. While a system boots, sshd may answer and pam turn users away."""
    # Not by a connection that says nothing: that would be an error in the node's journal.
    try:
        done = subprocess.run(ssh.argv(names.lab, node.address, ["true"]), capture_output=True, timeout=60.0)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def cloud_init_report(names: NodeNames, node: NodePlan) -> cloud_init.Report | None:
    """Ask the node, once cloud-init is done."""
    pack = f"tar -C / --dereference --ignore-failed-read -cf - {' '.join(cloud_init.FILES)}"
    script = f"cloud-init status --wait >/dev/null; {pack}"
    argv = ssh.argv(names.lab, node.address, ["sudo", "sh", "-c", script])
    try:
        done = subprocess.run(argv, capture_output=True, timeout=BOOT_SECONDS)
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
            found = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
            files = {name: stream.read().decode(errors="replace") for name, stream in found.items() if stream}
    except (subprocess.TimeoutExpired, tarfile.TarError):
        return None  # it has just gone down
    return cloud_init.read(files)


def status(names: NodeNames, node: NodePlan) -> NodeStatus:
    """Read the node's state from its process, its disk and its console; the node itself is not asked."""
    firmware = LabPlan.from_json(names.lab.plan_file.read_text()).firmware
    pid = machine.pid(names.folder)
    state: str = machine.state(names.folder)
    boot = console.read(names.log) if pid else console.Boot()
    if state == "running" and boot.partition is None:
        state = "unbootable" if boot.unbootable else "booting"
    return NodeStatus(
        node=node.name,
        address=node.address,
        zone=node.zone,
        state=state,
        link="cut" if is_cut(names) else "up",
        pid=pid,
        slot=observed.label(boot.partition) if boot.partition else None,
        release=observed.release(names.disk, boot.partition) if boot.partition else None,
        slots=observed.slots(names.disk, firmware) if names.disk.exists() else (),
    )


def clear(names: NodeNames) -> None:
    """End the machine. Its disk keeps its content."""
    machine.kill(names.folder)


def sweep(names: LabNames) -> None:
    for folder in sorted(names.nodes_folder.glob("*")):
        process.kill(folder)
