"""Switches a lab's virtual machine on: what the lab has decided of it, in the words of ``argv``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from coreops.events import Emit, Event
from coreops.providers.namespace import cgroup, user_data
from coreops.providers.namespace.image import cache_root
from coreops.providers.namespace.names import NodeNames
from coreops.providers.namespace.plan import LabPlan, NodePlan
from coreops.providers.qemu import accel, birth, machine, network, seed
from coreops.providers.qemu.argv import Direct, Nic, Uefi, Vm
from coreops.providers.qemu.console import POWER_ON
from coreops.providers.qemu.image import Image

MEMORY: Final = 512
"""MiB a node."""


def silent(event: Event) -> None:
    """For who was told before how machines are run."""


def accelerator(emit: Emit) -> str:
    """How machines run here, found out once a boot."""
    return accel.choose(cache_root().parent / "accel.json", emit)


def seed_file(names: NodeNames) -> Path:
    """The node's own files, for its first boot."""
    return names.folder / "seed.tar"


def user_data_drive(names: NodeNames) -> Path:
    """What cloud-init finds, where the lab has user-data."""
    return names.folder / "cidata.iso"


def vars_file(names: NodeNames) -> Path:
    """What the node's firmware keeps."""
    return names.folder / "ovmf-vars.fd"


def mac(node: NodePlan) -> str:
    """The address of the node's network card."""
    return network.mac(node.machine_id)


def description(names: NodeNames, plan: LabPlan, node: NodePlan) -> Vm:
    """The machine of a node. Pure."""
    image = Image(cache_root() / plan.image)
    boot = (
        Uefi(image.ovmf_code, vars_file(names))
        if plan.firmware == "uefi"
        else Direct(image.kernel, image.initrd_gptprio, image.cmdline_gptprio)
    )
    return Vm(
        name=f"coreops-{names.lab.lab}-{names.node}",
        folder=names.folder,
        disk=names.disk,
        boot=boot,
        memory=MEMORY,
        nic=Nic(names.lab.switch, names.node, mac(node)),
        seed=user_data_drive(names) if plan.cloud_init else None,
        smbios_serial=birth.SERIAL if plan.cloud_init else "",
        fw_cfg=((seed.FW_CFG, seed_file(names)),),
        cache="unsafe",
    )


def start(names: NodeNames) -> None:
    """Switch the node on; one that is on stays as it is. It outlives the caller."""
    plan = LabPlan.from_json(names.lab.plan_file.read_text())
    node = next(each for each in plan.nodes if each.name == names.node)
    if plan.cloud_init:
        birth.write_drive(user_data.files(names), user_data_drive(names))
    with names.log.open("a") as log:
        log.write(time.strftime(f"[%Y-%m-%d %H:%M:%S] {POWER_ON}\r\n"))
    cgroup.create(names.cgroup)
    # It belongs to the lab and not to the shell or login session of whoever switches it on.
    groups = [tree.path / names.cgroup / "cgroup.procs" for tree in cgroup.hierarchies()]
    machine.start(description(names, plan, node), accelerator(silent), groups=groups)
