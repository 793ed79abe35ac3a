"""One machine of the provider, made and removed: its files, its cable, its process. Whoever calls holds its lock.

What it was told at birth stays as it is, however often it is started.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

from coreops.errors import CoreopsError, InputError
from coreops.events import Emit
from coreops.providers.namespace import network as switch
from coreops.providers.namespace.host import write_atomically
from coreops.providers.namespace.keys import ensure_key
from coreops.providers.protocol import Wanted
from coreops.providers.qemu import accel, birth, machine, network, process
from coreops.providers.qemu.argv import Nic, Vm
from coreops.providers.qemu.disks import DISK, Disks, boot
from coreops.providers.qemu.place import Place, Record
from coreops.providers.qemu.settings import read

READY = "ready"
"""A file that says of which process it is known that one can log in."""
_SEED, _CONFIG = "seed.iso", "config.ign"
_PATIENCE: Final = 2.0
_NEXT: Final = "mend that, and run the same command again; `coreops destroy` removes what was made so far"


def connect(where: Place, subnet: str) -> None:
    """Bridge, the way into it, and the machine's cable: none of them outlives a reboot of this machine."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            switch.ensure_switch(where.cluster.names, where.cluster.plan(subnet))
            network.ensure_tap(where.cluster.names.switch, where.tap)
            return
        except CoreopsError:
            # the last command of a caller that was killed just now may still be at work on it
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def bring_up(where: Place, record: Record, wanted: Wanted, own: Path | None, disks: Disks, emit: Emit) -> None:
    """Make what is missing, and switch it on. A machine that never was on is taken away when that fails."""
    fresh = not where.vm.exists()
    if process.holder(where.vm) is not None:
        return
    try:
        _make(where, record, wanted, own, disks, emit)
        start(where, record, emit)
    except BaseException:
        # QEMU may have started it although its answer was lost
        if fresh and process.holder(where.vm) is None:
            remove(where)
        raise


def _make(where: Place, record: Record, wanted: Wanted, own: Path | None, disks: Disks, emit: Emit) -> None:
    """Its files, as far as they are missing."""
    settings = read(wanted)
    where.vm.mkdir(mode=0o700, exist_ok=True)
    prefix = IPv4Network(str(where.cluster.subnet())).prefixlen
    told = birth.Birth(
        wanted.node,
        record.id,
        f"{record.address}/{prefix}",
        where.mac,
        ensure_key(where.host_key, wanted.node),
        wanted.user_data,
    )
    if settings.target == "ignition":
        if not (where.vm / _CONFIG).exists():
            write_atomically(where.vm / _CONFIG, birth.ignition(told), 0o600)
    elif not (where.vm / _SEED).exists():
        birth.write_drive(birth.nocloud(told), where.vm / _SEED)
    disks.ensure(where.vm, settings, own, emit)


def start(where: Place, record: Record, emit: Emit) -> None:
    """Switch on what was made."""
    seed, config = where.vm / _SEED, where.vm / _CONFIG
    vm = Vm(
        record.id,
        where.vm,
        where.vm / DISK,
        boot(where.vm),
        memory=int(record.facts["memory"]),
        cpus=int(record.facts["cpus"]),
        nic=Nic(where.cluster.names.switch, where.tap, where.mac),
        seed=seed if seed.exists() else None,
        smbios_serial=birth.SERIAL if seed.exists() else "",
        fw_cfg=tuple((name, config) for name in birth.FW_CFG) if config.exists() else (),
    )
    (where.vm / READY).unlink(missing_ok=True)
    machine.start(vm, accel.choose(where.cluster.root / "accel.json", emit))


def remove(where: Place) -> None:
    """End the machine, and remove all of it; the caller holds its lock."""
    machine.kill(where.vm)
    network.remove_tap(where.cluster.names.switch, where.tap)
    shutil.rmtree(where.folder)


@contextmanager
def told(node: str) -> Iterator[None]:
    """Whatever a program or the file system says, with the node and a next step of ours. Raises CoreopsError."""
    try:
        yield
    except OSError as error:
        raise CoreopsError(
            f"cannot make the machine's files ({error.filename})", where=node, why=error.strerror, next=_NEXT
        ) from None
    except CoreopsError as error:
        if error.where is not None or isinstance(error, InputError):
            raise
        # the namespace lab's programs are shared, and so is what they say is next
        own = error.next and not error.next.startswith("coreops lab")
        raise CoreopsError(error.what, where=node, why=error.why, next=error.next if own else _NEXT) from None
