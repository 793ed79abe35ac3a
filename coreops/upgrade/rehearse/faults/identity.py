"""Who answers at an address, and what it lets us do."""

from __future__ import annotations

from coreops.upgrade.rehearse.controller import Controller
from coreops.upgrade.rehearse.faults.fault import Fault
from coreops.upgrade.rehearse.machine import STRANGER, Machine
from coreops.upgrade.rehearse.simulation import Simulation


def host_key(sim: Simulation) -> None:
    def change(controller: Controller) -> None:
        if not sim.calm:
            sim.node().host_key = False

    sim.moment(change)


def host_key_after_reboot(sim: Simulation) -> None:
    chosen = sim.node()

    def change(machine: Machine, commanded: bool) -> None:
        if machine is chosen and commanded and not sim.calm:
            machine.host_key = False

    sim.world.on_boot.append(change)


def other_machine(sim: Simulation) -> None:
    """The node is away, and another machine has its address; the right one comes back when somebody mends it."""
    chosen = sim.node()

    def change(machine: Machine, commanded: bool) -> None:
        if machine is chosen and commanded and not sim.calm:
            machine.machine_id = STRANGER

    sim.world.on_boot.append(change)


def same_ids(sim: Simulation) -> None:
    names = sorted(sim.world.machines)
    sim.world.machines[names[0]].machine_id = sim.world.machines[names[-1]].machine_id = "id-cloned"


def sudo(sim: Simulation) -> None:
    def change(controller: Controller) -> None:
        if not sim.calm:
            sim.node().sudo = False

    sim.moment(change)


FAULTS = (
    Fault("host key changed", (41,), "a node shows another host key, at any moment", host_key),
    Fault("host key changed by the reboot", (41, 8), "a node comes back with another host key", host_key_after_reboot),
    Fault("another machine", (42, 8), "after the reboot another machine answers at the address", other_machine),
    Fault("same machine-ids", (17,), "two nodes were cloned with their machine-id", same_ids),
    Fault("sudo asks", (44,), "sudo wants a password, at any moment", sudo),
)
