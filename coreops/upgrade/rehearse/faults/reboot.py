"""What goes wrong with reboots and with power."""

from __future__ import annotations

from coreops.upgrade.protocol import Action, Did, Do
from coreops.upgrade.rehearse.controller import Controller
from coreops.upgrade.rehearse.faults.fault import Fault
from coreops.upgrade.rehearse.hands import Asker
from coreops.upgrade.rehearse.images import BAD, Behaviour, Image
from coreops.upgrade.rehearse.machine import Machine
from coreops.upgrade.rehearse.simulation import Simulation


def ignored(sim: Simulation) -> None:
    def ignore(asker: Asker, do: Do, machine: Machine | None) -> bool:
        if machine is not None and sim.hands.admitted(asker, do, machine):
            sim.invariants.acted(asker, do, machine)
            sim.hands.answer(asker, do, machine, Did(do.node, do.serial), 0.1)
        return True

    sim.trap(Action.REBOOT, ignore, times=sim.rng.choice((1, 3)), skip=sim.rng.randint(0, 1))


def delayed(sim: Simulation) -> None:
    seconds = sim.rng.choice((60.0, 300.0, 900.0))

    def delay(asker: Asker, do: Do, machine: Machine | None) -> bool:
        if machine is not None and not machine.pending and sim.hands.admitted(asker, do, machine):
            sim.invariants.acted(asker, do, machine)
            machine.pending = True
            sim.world.at(seconds, sim.hands.goes_down, asker, do, machine, machine.boots)
            sim.hands.answer(asker, do, machine, Did(do.node, do.serial), 0.1)
        return True

    sim.trap(Action.REBOOT, delay, skip=sim.rng.randint(0, 1))


def never_returns(sim: Simulation) -> None:
    def die(asker: Asker, do: Do, machine: Machine | None) -> bool:
        if machine is not None:
            sim.world.at(sim.rng.uniform(2.0, 20.0), sim.world.kill, machine, "its power supply died")
        return False

    sim.trap(Action.REBOOT, die, skip=sim.rng.randint(0, 2))


def returns_late(sim: Simulation) -> None:
    sim.world.slow_boots[sim.node().name] = sim.rng.uniform(300.0, 1200.0)


def power_cut(sim: Simulation) -> None:
    def cut(controller: Controller) -> None:
        if not sim.calm:
            sim.world.reset(sim.node(), "power cut", off=sim.rng.choice((0.0, 60.0, 900.0)))

    for _ in range(sim.rng.randint(1, 3)):
        sim.moment(cut)


def power_cut_in_turn(sim: Simulation) -> None:
    """At the worst place: while something is being done to this very node."""
    action = sim.rng.choice((Action.DRAIN, Action.ACTIVATE, Action.MARK_GOOD, Action.UNDRAIN, Action.ROLL_BACK))

    def cut(asker: Asker, do: Do, machine: Machine | None) -> bool:
        sim.world.at(sim.rng.choice((0.0, 0.1, 2.0)), sim.world.reset, machine, f"power cut during {action}")
        return False

    sim.trap(action, cut, skip=sim.rng.randint(0, 1))


def power_cut_after_boot(sim: Simulation) -> None:
    left = [1]

    def cut(machine: Machine, commanded: bool) -> None:
        if commanded and left and not sim.calm:
            left.clear()
            sim.world.at(sim.rng.uniform(20.0, 110.0), sim.world.reset, machine, "power cut in its first minutes")

    sim.world.on_boot.append(cut)


def release_is(name: str, *, everywhere: bool = False) -> Fault:
    """A release that behaves like this on one node, or on all."""

    def choose(sim: Simulation) -> None:
        if everywhere:
            sim.scenario.behaviour = BAD[name]
        else:
            sim.scenario.odd = {**sim.scenario.odd, sim.node().name: BAD[name]}

    numbers = {
        "never boots": (32, 55),
        "ends in an emergency shell": (35,),
        "no sshd": (30, 43),
        "no etcd": (50,),
        "reports the old version": (40, 22),
        "resets by itself": (34, 38),
        "resets late": (33, 38),
        "boots slower than anybody waits": (31,),
        "health flaps": (50,),
        "turns bad after a while": (50,),
    }[name]
    where = "all nodes" if everywhere else "one node"
    return Fault(f"release: {name}", numbers, f"on {where} the release: {name}", choose)


def both_slots_bad(sim: Simulation) -> None:
    """The old slot has rotted: it runs, but would not boot again."""
    machine = sim.node()
    machine.here.image = Image(machine.version, "old", Behaviour(boots=False))
    sim.invariants.nodes[machine.name].hopeless = True
    sim.scenario.odd = {**sim.scenario.odd, machine.name: BAD["never boots"]}


FAULTS = (
    Fault("reboot ignored", (28,), "the reboot is accepted, and nothing happens", ignored),
    Fault("reboot delayed", (29,), "the reboot is accepted, and happens minutes later", delayed),
    Fault("never returns", (30,), "the node dies in its reboot", never_returns),
    Fault("returns late", (31,), "a node takes long to boot", returns_late),
    Fault("power cut", (39, 52), "any node loses power at any moment, staged or not", power_cut),
    Fault("power cut in turn", (34, 39), "a node loses power while something is done to it", power_cut_in_turn),
    Fault(
        "power cut after boot", (34, 38), "a node loses power soon after it booted the release", power_cut_after_boot
    ),
    Fault("both slots bad", (36,), "the new slot does not boot, and the old one no longer", both_slots_bad),
    *(release_is(name) for name in BAD if name != "arrives broken"),
)
