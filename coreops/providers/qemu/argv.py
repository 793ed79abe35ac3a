"""The command line of one virtual machine. Pure: a description in, words out.

What a machine leaves behind is in its folder: ``pid``, ``qmp.sock``, ``console.log``. QEMU is started in that folder
and names the socket without it, since the name of a socket may not be long. How it is held is up to ``supervisor``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROGRAM: Final = "qemu-system-x86_64"
EMULATED: Final = "max,-erms,-la57,-mpx,-pku,-smap,-smep,-svm,-umip"
"""All that QEMU can play but what costs it more than it gives: strings that are copied byte by byte, a fifth level of
page tables, locks on pages, bounds that are saved whenever tasks change, and being a host itself.
"""
PID, QMP, CONSOLE = "pid", "qmp.sock", "console.log"


@dataclass(frozen=True, slots=True)
class Uefi:
    """Firmware that reads a boot loader from the disk. vars: the machine's own copy of what firmware remembers."""

    code: Path
    vars: Path


@dataclass(frozen=True, slots=True)
class Direct:
    """QEMU loads a kernel by itself."""

    kernel: Path
    initrd: Path
    cmdline: str


@dataclass(frozen=True, slots=True)
class Nic:
    """A network card on a tap device in a network namespace."""

    netns: str
    tap: str
    mac: str


@dataclass(frozen=True, slots=True)
class Vm:
    """One virtual machine.

    seed: a second, read-only drive (``/dev/vdb``). fw_cfg: files by the names that the guest's firmware table has.
    cache: ``unsafe`` loses what was written when the *host* dies, and is faster.
    """

    name: str
    folder: Path
    disk: Path
    boot: Uefi | Direct
    memory: int = 512
    cpus: int = 1
    nic: Nic | None = None
    seed: Path | None = None
    smbios_serial: str = ""
    fw_cfg: tuple[tuple[str, Path], ...] = ()
    cache: str = "writeback"


def argv(vm: Vm, accel: str) -> list[str]:
    """Return the words that start it. accel: ``kvm``, ``tcg,thread=multi``."""
    words = [PROGRAM, "-nodefaults", "-no-user-config", "-name", f"guest={_value(vm.name)}"]
    words += board(accel)
    words += ["-smp", str(vm.cpus), "-m", str(vm.memory), "-display", "none"]
    words += ["-qmp", f"unix:{QMP},server=on,wait=off"]
    words += ["-chardev", f"file,id=console,path={_value(vm.folder / CONSOLE)},append=on", "-serial", "chardev:console"]
    words += ["-device", "virtio-rng-pci"]
    words += _boot(vm.boot)
    words += _drive("disk", vm.disk, f"cache={vm.cache},discard=unmap")
    if vm.seed:
        words += _drive("seed", vm.seed, "readonly=on")
    if vm.nic:
        words += ["-netdev", f"tap,id=net0,ifname={vm.nic.tap},script=no,downscript=no"]
        # without an option ROM: nothing is booted from the network
        words += ["-device", f"virtio-net-pci,netdev=net0,mac={vm.nic.mac},romfile="]
    if vm.smbios_serial:
        words += ["-smbios", f"type=1,serial={_value(vm.smbios_serial)}"]
    for name, file in vm.fw_cfg:
        words += ["-fw_cfg", f"name={name},file={_value(file)}"]
    return words


def board(accel: str) -> tuple[str, ...]:
    """Chipset and processor."""
    return "-machine", "q35", "-accel", accel, "-cpu", "host" if accel == "kvm" else EMULATED


def _boot(boot: Uefi | Direct) -> list[str]:
    if isinstance(boot, Direct):
        return ["-kernel", str(boot.kernel), "-initrd", str(boot.initrd), "-append", boot.cmdline]
    return [
        "-drive",
        f"if=pflash,unit=0,format=raw,readonly=on,file={_value(boot.code)}",
        "-drive",
        f"if=pflash,unit=1,format=raw,file={_value(boot.vars)}",
    ]


def _drive(name: str, file: Path, options: str) -> list[str]:
    drive = f"if=none,id={name},format=raw,{options},file={_value(file)}"
    return ["-drive", drive, "-device", f"virtio-blk-pci,drive={name},serial={name}"]


def _value(value: str | Path) -> str:
    """A value in an option, where a comma ends it and two are one."""
    return str(value).replace(",", ",,")
