"""What workloads, gates, hooks and other people do."""

from __future__ import annotations

from coreops.upgrade.protocol import Action, Do
from coreops.upgrade.rehearse.controller import Controller
from coreops.upgrade.rehearse.faults.fault import Fault
from coreops.upgrade.rehearse.hands import HOOKS, Asker
from coreops.upgrade.rehearse.machine import Machine
from coreops.upgrade.rehearse.simulation import Simulation


def window_closes(sim: Simulation) -> None:
    """Windows are the scenario's; here a turn takes so long that they matter."""

    slowed: set[str] = set()

    def slow(asker: Asker, do: Do, machine: Machine | None) -> bool:
        if do.node in slowed:
            return False
        slowed.add(do.node)
        sim.world.at(sim.rng.uniform(30.0, 100.0), sim.hands.arrive, asker, do)
        return True

    sim.trap(Action.DRAIN, slow, times=6)


def hook_fails(sim: Simulation) -> None:
    def fail(asker: Asker, do: Do, machine: Machine | None) -> bool:
        sim.hands.fail(asker, do, "exit status 1", delay=2.0)
        return True

    for hook in sorted(HOOKS):
        sim.trap(hook, fail, times=sim.rng.choice((1, 4)), skip=sim.rng.randint(0, 1))


def hook_hangs(sim: Simulation) -> None:
    def hang(asker: Asker, do: Do, machine: Machine | None) -> bool:
        return True

    for hook in sorted(HOOKS):
        sim.trap(hook, hang, skip=sim.rng.randint(0, 1))


def drain_blocked(sim: Simulation) -> None:
    answers = sim.rng.random() < 0.7

    def block(asker: Asker, do: Do, machine: Machine | None) -> bool:
        if machine is not None and sim.hands.admitted(asker, do, machine):
            machine.drained = True
            sim.invariants.acted(asker, do, machine)
            if answers:
                sim.hands.fail(asker, do, "work is left after the deadline", delay=60.0)
        return True

    sim.trap(Action.DRAIN, block, times=sim.rng.choice((1, 5)), skip=sim.rng.randint(0, 1))


def undrain_fails(sim: Simulation) -> None:
    def fail(asker: Asker, do: Do, machine: Machine | None) -> bool:
        sim.hands.fail(asker, do, "a unit does not start", delay=2.0)
        return True

    sim.trap(Action.UNDRAIN, fail, times=sim.rng.choice((1, 3, 60)), skip=sim.rng.randint(0, 1))


def act_fails(sim: Simulation) -> None:
    def fail(asker: Asker, do: Do, machine: Machine | None) -> bool:
        sim.hands.fail(asker, do, "exit status 1", delay=1.0)
        return True

    choices = (Action.ACTIVATE, Action.MARK_GOOD, Action.REVERT, Action.ROLL_BACK, Action.REBOOT, Action.MOVE_LEADER)
    for action in sim.rng.sample(choices, 2):
        sim.trap(action, fail, times=sim.rng.choice((1, 3, 30)), skip=sim.rng.randint(0, 1))


def cordoned(sim: Simulation) -> None:
    sim.node().cordoned = True
    for name, node in sim.invariants.nodes.items():
        node.cordoned = sim.world.machines[name].cordoned


def falls_ill(sim: Simulation) -> None:
    def ill(controller: Controller) -> None:
        if not sim.calm:
            sim.world.ill[sim.node().name] = sim.world.now + sim.rng.choice((4.0, 15.0, 60.0, 600.0))

    for _ in range(4):
        sim.moment(ill)


def prometheus(sim: Simulation) -> None:
    def silent(controller: Controller) -> None:
        if not sim.calm:
            sim.world.gates_fail_until = sim.world.now + sim.rng.choice((30.0, 120.0, 1200.0))

    sim.moment(silent)


def other_agent(sim: Simulation) -> None:
    def reboot(controller: Controller) -> None:
        if not sim.calm:
            sim.world.reset(sim.node(), "another agent reboots it")

    for _ in range(2):
        sim.moment(reboot)


def veto(sim: Simulation) -> None:
    sim.world.vetoed[sim.node().name] = sim.rng.choice((60.0, 250.0, 3000.0))


def units_fail(sim: Simulation) -> None:
    """A unit that was broken before must not count; one that breaks under the release must."""
    old, new = sim.node(), sim.node()
    old.failed_units = ("old.service",)

    def fail(machine: Machine, commanded: bool) -> None:
        if machine is new:
            broken = commanded and machine.version == sim.plan.version and not sim.calm
            machine.failed_units = (*(("old.service",) if new is old else ()), *(("app.service",) if broken else ()))

    sim.world.on_boot.append(fail)


def again(sim: Simulation) -> None:
    sim.start_later(20000.0)


FAULTS = (
    Fault("window closes", (46,), "drains take long, so that windows close over them", window_closes),
    Fault("hook fails", (47,), "hooks exit with 1", hook_fails),
    Fault("hook hangs", (47,), "hooks never end", hook_hangs),
    Fault("drain blocked", (48,), "work does not leave the node", drain_blocked),
    Fault("undrain fails", (48,), "work does not come back", undrain_fails),
    Fault("act fails", (18, 22), "the node says no to any of the acts", act_fails),
    Fault("cordoned before", (49,), "the operator has cordoned a node", cordoned),
    Fault("falls ill", (50,), "services fail for a while, at any moment", falls_ill),
    Fault("prometheus silent", (51,), "a gate cannot be asked for a while", prometheus),
    Fault("other agent reboots", (52,), "something else reboots nodes", other_agent),
    Fault("veto", (19, 48), "a workload says: not now", veto),
    Fault("units fail", (50,), "a unit was broken before; another breaks under the release", units_fail),
    Fault("upgraded again", (55,), "the operator asks for the same release again, hours later", again),
)
