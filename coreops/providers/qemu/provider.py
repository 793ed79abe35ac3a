"""Virtual machines of this machine as a provider: which there are, and who may work on which at a time.

A machine is found by its folder, which is named after its mark, and is on when its QEMU holds the lock there. What a
create that failed has made is taken away again; what one that was killed has made is found, and finished by the next.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from coreops.errors import CoreopsError
from coreops.events import Emit, Notice
from coreops.providers.namespace import network as switch
from coreops.providers.namespace.host import locked_folder, write_atomically
from coreops.providers.planning import USER_DATA
from coreops.providers.protocol import Change, Machine, MachineState, Power, Wanted, digest
from coreops.providers.qemu import addressing, making, place, plan, process
from coreops.providers.qemu import machine as control
from coreops.providers.qemu.argv import CONSOLE
from coreops.providers.qemu.disks import Disks, check_own
from coreops.providers.qemu.place import Cluster, Place, Record
from coreops.providers.qemu.settings import Settings, read
from coreops.providers.registry import Opening

_GRACE: Final = 90.0
"""How long a machine may take to switch itself off."""
_LOOKS_AT_ONCE: Final = 16
_CHUNK = 65536


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
            with making.told(wanted.node):
                record = self._recorded(where, wanted, settings)
            with making.told(wanted.node), locked_folder(where.folder):
                if where.record() != record:
                    raise CoreopsError("somebody removed it just now", where=wanted.node, next="run it again")
                making.bring_up(where, record, wanted, own, self.disks, self.emit)
        except BaseException:
            self._tidy(where.cluster)
            raise
        return self._seen(where, record)

    def _recorded(self, where: Place, wanted: Wanted, settings: Settings) -> Record:
        """Decide the machine's address, write it down, and see that the cluster has its network."""
        cluster = where.cluster
        with locked_folder(self.root):
            subnet = cluster.subnet()
            if subnet is None:
                used = [*switch.used_networks(), *place.subnets(self.root)]
                subnet = addressing.subnet(settings, used, wanted)
                cluster.settle(subnet)
            record = where.record()
            known = record is not None
            if record is None:
                others = tuple(cluster.records())
                address = addressing.address(settings, subnet, others, wanted)
                facts = {**plan.facts(settings), "address": address, USER_DATA: digest(wanted.user_data)}
                made = place.new_id(wanted.cluster, wanted.node)
                record = Record(wanted.node, wanted.cluster, made, address, facts)
                where.write(record)
            try:
                making.connect(where, subnet)
            except BaseException:
                if not known:
                    shutil.rmtree(where.folder)
                raise
        return record

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
        mark = folder / making.READY
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
                making.connect(where, str(where.cluster.subnet()))
                making.start(where, record, self.emit)

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
                making.remove(where)
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


def _is(where: Place, machine: Machine) -> bool:
    record = where.record()
    return record is not None and record.id == machine.id


def connect(opening: Opening) -> Qemu:
    """Open it. Raises InputError where no machine could run."""
    control.require()
    return Qemu(opening.base, emit=opening.emit)
