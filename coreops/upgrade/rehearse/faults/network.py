"""What happens between the controller and the nodes."""

from __future__ import annotations

from coreops.upgrade.protocol import Action, Did, Do, Happening
from coreops.upgrade.rehearse.controller import Controller
from coreops.upgrade.rehearse.faults.fault import Fault
from coreops.upgrade.rehearse.hands import LEDGER, Asker
from coreops.upgrade.rehearse.machine import Machine
from coreops.upgrade.rehearse.simulation import Simulation

_ACTS = tuple(action for action in Action if action not in LEDGER)


def cut(sim: Simulation) -> None:
    def drop(controller: Controller) -> None:
        if sim.calm:
            return
        machine = sim.node()
        if sim.rng.random() < 0.5:
            sim.world.cut.add(machine.name)
        else:
            sim.world.isolate(machine)
        sim.world.at(sim.rng.choice((3.0, 40.0, 300.0, 2000.0)), sim.world.heal, machine)

    for _ in range(sim.rng.randint(1, 3)):
        sim.moment(drop)


def cut_in_reboot(sim: Simulation) -> None:
    seconds = sim.rng.choice((30.0, 200.0, 1500.0))

    def isolate(asker: Asker, do: Do, machine: Machine | None) -> bool:
        if machine is not None:
            sim.world.at(0.2, sim.world.isolate, machine)
            sim.world.at(seconds, sim.world.heal, machine)
        return False

    sim.trap(Action.REBOOT, isolate, skip=sim.rng.randint(0, 2))


def jump_host(sim: Simulation) -> None:
    def drop(controller: Controller) -> None:
        seconds = sim.rng.choice((5.0, 60.0, 900.0))
        for machine in () if sim.calm else sim.world.machines.values():
            sim.world.cut.add(machine.name)
            sim.world.at(seconds, sim.world.heal, machine)

    sim.moment(drop)


def answer_lost(sim: Simulation) -> None:
    """The act took effect; the line broke before the answer."""

    def lose(asker: Asker, do: Do, machine: Machine | None) -> bool:
        if machine is not None:
            sim.world.at(0.01, sim.world.cut.add, machine.name)
            sim.world.at(sim.rng.choice((1.0, 8.0, 90.0)), sim.world.heal, machine)
        return False

    for action in sim.rng.sample(_ACTS, 4):
        sim.trap(action, lose, skip=sim.rng.randint(0, 2))


def never_answered(sim: Simulation) -> None:
    def swallow(asker: Asker, do: Do, machine: Machine | None) -> bool:
        return True

    for action in sim.rng.sample(_ACTS, 3):
        sim.trap(action, swallow, skip=sim.rng.randint(0, 2))


class _Late:
    """A controller for which answers take long: what is done is done in time."""

    def __init__(self, sim: Simulation, asker: Asker, seconds: float) -> None:
        self.run, self.plan, self.alive = asker.run, asker.plan, asker.alive
        self._sim, self._asker, self._seconds = sim, asker, seconds

    def hear(self, happening: Happening) -> None:
        self._sim.world.at(self._seconds if isinstance(happening, Did) else 0.0, self._asker.hear, happening)


def answers_late(sim: Simulation) -> None:
    def delay(asker: Asker, do: Do, machine: Machine | None) -> bool:
        sim.hands.arrive(_Late(sim, asker, sim.rng.choice((5.0, 40.0, 150.0))), do)
        return True

    for action in sim.rng.sample(list(Action), 4):
        sim.trap(action, delay, skip=sim.rng.randint(0, 2))


FAULTS = (
    Fault("node cut off", (37, 45), "the line to a node breaks at any moment, for seconds or for long", cut),
    Fault("cut off in its reboot", (37,), "nobody can tell whether a node is dead or cut off", cut_in_reboot),
    Fault("jump host dies", (45,), "no node can be reached for a while", jump_host),
    Fault("answer lost", (1, 23), "what was asked is done, the answer is lost", answer_lost),
    Fault("never answered", (22, 47), "a command hangs and is never answered", never_answered),
    Fault("answers late", (15, 22), "answers come when nobody waits for them any more", answers_late),
)
