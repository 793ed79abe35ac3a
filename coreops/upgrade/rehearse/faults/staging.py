"""What goes wrong while an image is written, and what else is found on disks."""

from __future__ import annotations

from coreops.upgrade.protocol import Action, Do
from coreops.upgrade.rehearse.controller import Controller
from coreops.upgrade.rehearse.faults.fault import Fault
from coreops.upgrade.rehearse.hands import Asker
from coreops.upgrade.rehearse.images import BAD, Image
from coreops.upgrade.rehearse.machine import Machine, Slot
from coreops.upgrade.rehearse.simulation import Simulation


def stage_fails(sim: Simulation) -> None:
    def fail(asker: Asker, do: Do, machine: Machine | None) -> bool:
        sim.hands.fail(asker, do, "no space left on device", delay=5.0)
        return True

    sim.trap(Action.STAGE, fail, times=sim.rng.choice((1, 5)), skip=sim.rng.randint(0, 2))


def arrives_broken(sim: Simulation) -> None:
    sim.scenario.odd = {**sim.scenario.odd, sim.node().name: BAD["arrives broken"]}


def line_drops(sim: Simulation) -> None:
    def drop(asker: Asker, do: Do, machine: Machine | None) -> bool:
        if machine is not None:
            sim.world.cut.add(machine.name)
            sim.world.at(sim.rng.uniform(5.0, 200.0), sim.world.heal, machine)
        return False

    def soon(asker: Asker, do: Do, machine: Machine | None) -> bool:
        sim.world.at(sim.rng.uniform(1.0, 30.0), drop, asker, do, machine)
        return False

    sim.trap(Action.STAGE, soon, times=2)


def pending_reboot(sim: Simulation) -> None:
    machine = sim.node()
    if machine.other.image is None:
        machine.other.image = Image("1.0.5", "unknown")
        machine.other.bits(2, 1, False)
        machine.blockers = ("an update to 1.0.5 waits for a reboot",)


def other_agent_writes(sim: Simulation) -> None:
    def write(controller: Controller) -> None:
        machine = sim.node()
        if machine.ticket is None and machine.up and sim.plan.sha256 and machine.version != sim.plan.version:
            machine.begin_staging()
            machine.staging = False

    sim.moment(write)


def damaged_table(sim: Simulation) -> None:
    sim.node().blockers = ("the primary partition table is damaged",)


def not_marked_good(sim: Simulation) -> None:
    """Somebody booted another release and nobody called it good: the passive slot is the only one that is."""
    machine = sim.node()
    if sim.plan.sha256 and machine.other.image is None:
        machine.slots[1] = Slot(Image("1.0.5", "unknown"), 2, 0, False)
        machine.booted = sim.invariants.nodes[machine.name].slot = 1
        sim.invariants.nodes[machine.name].version = machine.version


FAULTS = (
    Fault("slot not marked good", (33,), "a node runs a release that nobody called good", not_marked_good),
    Fault("stage fails", (18,), "no space, or an I/O error in the passive slot", stage_fails),
    Fault("arrives broken", (19,), "the slot does not read back as it was sent", arrives_broken),
    Fault("line drops while staging", (23,), "the connection breaks in the middle of the image", line_drops),
    Fault("pending reboot", (24,), "another update waits for a reboot on a node", pending_reboot),
    Fault("other agent writes", (25,), "another agent overwrites the passive slot", other_agent_writes),
    Fault("damaged table", (27,), "a node's partition table is damaged", damaged_table),
)
