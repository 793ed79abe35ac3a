"""Virtual machines of this machine as a provider: what a node's machine consists of is put together here.

A machine is found by its folder, which is named after its mark, and is on when its QEMU holds the lock there. What a
create that failed has made is taken away again; what one that was killed has made is found, and finished by the next.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

from coreops.errors import CoreopsError, InputError
from coreops.events import Emit, Notice
from coreops.providers.namespace import network as switch
from coreops.providers.namespace.host import locked_folder, write_atomically
from coreops.providers.namespace.keys import ensure_key
from coreops.providers.planning import USER_DATA
from coreops.providers.protocol import Change, Machine, MachineState, Power, Wanted, digest
from coreops.providers.qemu import accel, birth, network, place, plan, process
from coreops.providers.qemu import machine as control
from coreops.providers.qemu.argv import CONSOLE, Nic, Vm
from coreops.providers.qemu.disks import DISK, Disks, boot, check_own
from coreops.providers.qemu.place import Cluster, Place, Record
from coreops.providers.qemu.settings import Settings, read, usable
from coreops.providers.registry import Opening

_GRACE: Final = 90.0
"""How long a machine may take to switch itself off."""
_LOOKS_AT_ONCE: Final = 16
_READY, _SEED, _CONFIG = "ready", "seed.iso", "config.ign"
_CHUNK = 65536
_NEXT: Final = "mend that, and run the same command again; `coreops destroy` removes what was made so far"


def answers(address: str, timeout: float = 2.0) -> bool:
    """Say whether sshd greets at an address."""
    try:
        with socket.create_connection((address, 22), timeout=timeout) as connection:
            # a client that says nothing would be an error in the machine's journal
            connection.sendall(b"SSH-2.0-coreops\r\n")
            return connection.recv(64).startswith(b"SSH-")
    except OSError:
        return False


@dataclass(frozen=True)
class Qemu:
    """The machines of clusters on this machine. May be used by many threads.

    base: the folder that paths in variables belong to. ready: whether one can log in at an address. grace: seconds
    until a machine that was asked to switch itself off is switched off.
    """

    base: Path
    root: Path = field(default_factory=place.state_root)
    emit: Emit = lambda event: None
    disks: Disks = field(default_factory=Disks)
    ready: Callable[[str], bool] = answers
    grace: float = _GRACE

    name = "qemu"

    def plan(self, wanted: Sequence[Wanted], found: Sequence[Machine]) -> tuple[Change, ...]:
        return plan.plan(wanted, found, self.root)

    def create(self, wanted: Wanted) -> Machine:
        """Return the node's machine once it is on; until one can log in it is pending. Raises CoreopsError."""
        settings = read(wanted)
        own = None if settings.image is None else self.base / settings.image
        if own is not None:
            check_own(own, wanted.where)
        where = Cluster(wanted.cluster, self.root).place(wanted.node)
        try:
            with _told(wanted.node):
                record = self._recorded(where, wanted, settings)
            with _told(wanted.node), locked_folder(where.folder):
                if where.record() != record:
                    raise CoreopsError("somebody removed it just now", where=wanted.node, next="run it again")
                self._bring_up(where, record, wanted, own)
        except BaseException:
            self._tidy(where.cluster)
            raise
        return self._seen(where, record)

    def _recorded(self, where: Place, wanted: Wanted, settings: Settings) -> Record:
        """Decide the machine's address, write it down, and see that the cluster has its network."""
        cluster = where.cluster
        with locked_folder(self.root):
            subnet = cluster.subnet() or self._new_subnet(cluster, wanted, settings)
            record = where.record()
            known = record is not None
            if record is None:
                others = tuple(cluster.records())
                address = _address(settings, subnet, others, wanted)
                facts = {**plan.facts(settings), "address": address, USER_DATA: digest(wanted.user_data)}
                made = place.new_id(wanted.cluster, wanted.node)
                record = Record(wanted.node, wanted.cluster, made, address, facts)
                where.write(record)
            try:
                self._connect(where, subnet)
            except BaseException:
                if not known:
                    shutil.rmtree(where.folder)
                raise
        return record

    def _new_subnet(self, cluster: Cluster, wanted: Wanted, settings: Settings) -> str:
        used = [*switch.used_networks(), *place.subnets(self.root)]
        subnet = settings.subnet or place.free_subnet(used)
        if clash := [each for each in used if each.prefixlen and each.overlaps(IPv4Network(subnet))]:
            raise InputError(
                f"the network {subnet} is in use",
                where=wanted.where,
                why=f"this machine, or another cluster on it, has {clash[0]}",
                next="name another with qemu_network, or leave it out",
            )
        cluster.settle(subnet)
        return subnet

    def _connect(self, where: Place, subnet: str) -> None:
        """Bridge, the way into it, and the machine's cable: none of them outlives a reboot of this machine."""
        switch.ensure_switch(where.cluster.names, where.cluster.plan(subnet))
        network.ensure_tap(where.cluster.names.switch, where.tap)

    def _bring_up(self, where: Place, record: Record, wanted: Wanted, own: Path | None) -> None:
        """Make what is missing, and switch it on. A machine that never was on is taken away when that fails."""
        fresh = not where.vm.exists()
        if process.holder(where.vm) is not None:
            return
        try:
            self._make(where, record, wanted, own)
            self._start(where, record)
        except BaseException:
            # QEMU may have started it although its answer was lost
            if fresh and process.holder(where.vm) is None:
                _remove(where)
            raise

    def _make(self, where: Place, record: Record, wanted: Wanted, own: Path | None) -> None:
        """Its files. What it was told at birth stays as it is."""
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
        self.disks.ensure(where.vm, settings.firmware, own, self.emit)

    def _start(self, where: Place, record: Record) -> None:
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
        (where.vm / _READY).unlink(missing_ok=True)
        control.start(vm, accel.choose(self.root / "accel.json", self.emit))

    def observe(self, cluster: str) -> tuple[Machine, ...]:
        found = Cluster(cluster, self.root)
        records = tuple(found.records())
        if not records:
            return ()
        with ThreadPoolExecutor(min(len(records), _LOOKS_AT_ONCE)) as pool:
            return tuple(pool.map(lambda record: self._seen(found.place(record.node), record), records))

    def _seen(self, where: Place, record: Record) -> Machine:
        addresses = {"private_ipv4": record.address}
        return Machine(record.node, record.id, self._state(where.vm, record.address), addresses, record.facts)

    def _state(self, folder: Path, address: str) -> MachineState:
        """Once it has let somebody in it runs, until it is switched off: also while its cable is cut."""
        pid = process.holder(folder)
        if pid is None:
            return "stopped"
        mark = folder / _READY
        if mark.exists() and mark.read_text() == str(pid):
            return "running"
        if not self.ready(address):
            return "pending"
        if folder.exists():
            write_atomically(mark, str(pid))
        return "running"

    def host_keys(self, machine: Machine) -> tuple[str, ...]:
        """The key that the machine was given."""
        where = self._place(machine)
        if where is None:
            return ()
        try:
            return (" ".join(where.host_key.with_suffix(".pub").read_text().split()[:2]),)
        except FileNotFoundError:
            return ()

    def console(self, machine: Machine) -> Iterator[bytes]:
        """All that it has written since it was made."""
        where = self._place(machine)
        if where is None:
            return
        try:
            with (where.vm / CONSOLE).open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    yield chunk
        except FileNotFoundError:
            return

    def power(self, machine: Machine, power: Power) -> None:
        where = self._place(machine)
        record = where.record() if where else None
        if where is None or record is None:
            raise CoreopsError("there is no such machine", where=machine.node, why=f"{machine.id} is gone")
        with locked_folder(where.folder):
            if power == "reset":
                control.reset(where.vm)
            elif power == "off":
                self._switch_off(where, machine.node)
            elif process.holder(where.vm) is None:
                self._connect(where, str(where.cluster.subnet()))
                self._start(where, record)

    def _switch_off(self, where: Place, node: str) -> None:
        if not control.powerdown(where.vm, self.grace):
            self.emit(Notice(f"did not switch itself off within {self.grace:g} s; its power is cut", node))
            control.kill(where.vm)

    def destroy(self, machine: Machine) -> None:
        """Remove the machine and its disk, and after the last one the cluster's network."""
        where = self._place(machine)
        if where is None:
            return
        with locked_folder(where.folder):
            record = where.record()
            if record is not None and record.id == machine.id:
                _remove(where)
        self._tidy(where.cluster)

    def _tidy(self, cluster: Cluster) -> None:
        """Take away the network of a cluster that has no machine any more."""
        with locked_folder(self.root):
            if not any(cluster.records()):
                switch.remove(cluster.names)
                shutil.rmtree(cluster.folder, ignore_errors=True)

    def _place(self, machine: Machine) -> Place | None:
        """Where the machine's things are, in whatever cluster; None when it is gone."""
        return next((each for each in place.of_node(self.root, machine.node) if _is(each, machine)), None)


@contextmanager
def _told(node: str) -> Iterator[None]:
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


def _is(where: Place, machine: Machine) -> bool:
    record = where.record()
    return record is not None and record.id == machine.id


def _remove(where: Place) -> None:
    """End the machine, and remove all of it; the caller holds its lock."""
    control.kill(where.vm)
    network.remove_tap(where.cluster.names.switch, where.tap)
    shutil.rmtree(where.folder)


def _address(settings: Settings, subnet: str, others: Sequence[Record], wanted: Wanted) -> str:
    """The machine's address: the one that the variables name, or a free one. Raises InputError."""
    if settings.subnet not in (None, subnet):
        raise InputError(
            f"the machines of cluster {wanted.cluster} are in {subnet}, and not in {settings.subnet}",
            where=wanted.where,
            why="a cluster has one network, which its first machine decides",
            next="give the others addresses there, or name the network for all with qemu_network",
        )
    if settings.address is None:
        return place.free_address(subnet, (each.address for each in others))
    if not usable(IPv4Address(settings.address), IPv4Network(subnet)):
        raise InputError(f"{settings.address} cannot be a machine's address in {subnet}", where=wanted.where)
    if taken := [each.node for each in others if each.address == settings.address]:
        raise InputError(f"{settings.address} is the address of {taken[0]}", where=wanted.where)
    return settings.address


def connect(opening: Opening) -> Qemu:
    """Open it. Raises InputError where no machine could run."""
    control.require()
    return Qemu(opening.base, emit=opening.emit)
