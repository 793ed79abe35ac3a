"""What has to happen to each node, and what is run for it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from coreops.providers import planning
from coreops.providers.protocol import Action, Change, Machine, Wanted, digest
from coreops.providers.qemu.argv import Direct, Nic, Uefi, Vm, argv
from coreops.providers.qemu.birth import FW_CFG, SERIAL
from coreops.providers.qemu.place import Cluster
from coreops.providers.qemu.settings import Settings, read


def plan(wanted: Sequence[Wanted], found: Sequence[Machine], root: Path) -> tuple[Change, ...]:
    """Return the changes. Raises InputError for variables that are wrong."""

    def calls(action: Action, node: str, each: Wanted | None, machine: Machine | None) -> tuple[str, ...]:
        gone = (f"end {machine.id} and remove its disk",) if machine and action in ("replace", "remove") else ()
        if each is None or action not in ("create", "replace", "start"):
            return gone
        return (*gone, *creating(each, read(each), root, fresh=action != "start"))

    return planning.plan(wanted, found, lambda each: wanted_facts(each), calls)


def facts(settings: Settings) -> dict[str, str]:
    """What a machine made from these variables can be compared by."""
    found = {
        "memory": str(settings.memory),
        "cpus": str(settings.cpus),
        "firmware": settings.firmware,
        "image": settings.image or "coreops",
        "address": settings.address,
    }
    return {name: value for name, value in found.items() if value is not None}


def wanted_facts(wanted: Wanted) -> Mapping[str, str]:
    return {**facts(read(wanted)), planning.USER_DATA: digest(wanted.user_data)}


def creating(wanted: Wanted, settings: Settings, root: Path, *, fresh: bool) -> tuple[str, ...]:
    """What making a machine, or starting it, takes. ``{...}`` stands for what is decided then."""
    cluster = Cluster(wanted.cluster, root)
    where, netns = cluster.place(wanted.node), cluster.names.switch
    file = where.vm / ("config.ign" if settings.target == "ignition" else "seed.iso")
    told = f"{len(wanted.user_data)} bytes of user-data, sha256 {digest(wanted.user_data)}..."
    copy = f"cp --sparse=always --reflink=auto {shlex.quote(settings.image or '{image}')} {where.vm}/disk.img"
    made = (copy, f"write {file}: {told}, a new host key, address {settings.address or '{address}'}") if fresh else ()
    boot: Uefi | Direct = Uefi(where.vm / "firmware.fd", where.vm / "variables.fd")
    if settings.firmware == "gptprio":
        boot = Direct(where.vm / "vmlinuz", where.vm / "initrd", "{cmdline}")
    is_drive = settings.target == "cloud-init"
    vm = Vm(
        "{id}",
        where.vm,
        where.vm / "disk.img",
        boot,
        memory=settings.memory,
        cpus=settings.cpus,
        nic=Nic(netns, where.tap, where.mac),
        seed=file if is_drive else None,
        smbios_serial=SERIAL if is_drive else "",
        fw_cfg=() if is_drive else tuple((name, file) for name in FW_CFG),
    )
    return (
        *made,
        f"ip -n {netns} tuntap add dev {where.tap} mode tap",
        shlex.join(["nsenter", f"--net=/run/netns/{netns}", *argv(vm, "{kvm|tcg}")]),
    )
