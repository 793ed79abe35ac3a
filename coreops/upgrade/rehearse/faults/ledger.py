"""What happens to etcd and to the leases in it."""

from __future__ import annotations

from coreops.upgrade.protocol import ROLLOUT, Action, Do, Happening
from coreops.upgrade.rehearse.controller import Controller
from coreops.upgrade.rehearse.faults.fault import Fault
from coreops.upgrade.rehearse.hands import Asker
from coreops.upgrade.rehearse.machine import Machine
from coreops.upgrade.rehearse.simulation import Simulation
from coreops.upgrade.rehearse.store import Held


class Deaf:
    """A controller that does not get the answer."""

    def __init__(self, asker: Asker) -> None:
        self.run, self.plan, self.alive = asker.run, asker.plan, asker.alive

    def hear(self, happening: Happening) -> None:
        """Lost on the way."""


def _members(sim: Simulation) -> list[Machine]:
    return [machine for machine in sim.world.machines.values() if machine.member]


def quorum_lost(sim: Simulation) -> None:
    def isolate(controller: Controller) -> None:
        members = _members(sim)
        if sim.calm or not members:
            return
        gone = sim.rng.sample(members, len(members) // 2 + 1)
        seconds = sim.rng.uniform(10.0, 400.0)
        for machine in gone:
            sim.world.isolate(machine)
            sim.world.at(seconds, sim.world.heal, machine)

    sim.moment(isolate)


def member_down(sim: Simulation) -> None:
    members = _members(sim)
    if members:
        machine = sim.rng.choice(members)
        sim.world.stop_etcd(machine)
        if sim.rng.random() < 0.5:
            sim.world.at(sim.rng.uniform(60.0, 900.0), sim.world.heal, machine)


def member_dies(sim: Simulation) -> None:
    def stop(controller: Controller) -> None:
        members = _members(sim)
        if members and not sim.calm:
            machine = sim.rng.choice(members)
            sim.world.stop_etcd(machine)
            sim.world.at(sim.rng.uniform(20.0, 900.0), sim.world.heal, machine)

    sim.moment(stop)


def member_lags(sim: Simulation) -> None:
    members = _members(sim)
    if members:
        sim.world.lags[sim.rng.choice(members).name] = sim.rng.uniform(30.0, 240.0)


def leader_moves(sim: Simulation) -> None:
    def move(controller: Controller) -> None:
        members = _members(sim)
        if members and not sim.calm:
            sim.world.move_leader(sim.rng.choice(members).name)

    for _ in range(4):
        sim.moment(move)


def conflicts(sim: Simulation) -> None:
    def conflict(asker: Asker, do: Do, machine: Machine | None) -> bool:
        sim.hands.fail(asker, do, "the key has changed meanwhile, again and again")
        return True

    sim.trap(Action.LEASE, conflict, times=sim.rng.randint(1, 3), skip=sim.rng.randint(0, 4))


def grant_lost(sim: Simulation) -> None:
    def lose(asker: Asker, do: Do, machine: Machine | None) -> bool:
        sim.hands.arrive(Deaf(asker), do)
        sim.hands.fail(asker, do, "no answer", "unreachable", 10.0)
        return True

    sim.trap(Action.LEASE, lose, times=sim.rng.randint(1, 2), skip=sim.rng.randint(0, 4))


def release_fails(sim: Simulation) -> None:
    def fail(asker: Asker, do: Do, machine: Machine | None) -> bool:
        sim.hands.fail(asker, do, "no answer", sim.rng.choice(("failed", "unreachable")), 5.0)
        sim.invariants.ledger_silent(asker, do)
        return True

    sim.trap(Action.RELEASE, fail, times=sim.rng.choice((1, 3, 40)), skip=sim.rng.randint(0, 3))


def deny_fails(sim: Simulation) -> None:
    def fail(asker: Asker, do: Do, machine: Machine | None) -> bool:
        sim.hands.fail(asker, do, "no answer", "unreachable", 5.0)
        return True

    sim.trap(Action.DENY, fail, times=sim.rng.choice((1, 3, 40)))


def ghost(sim: Simulation) -> None:
    name = sim.rng.choice((ROLLOUT, *sim.world.machines))
    sim.world.store.leases[name] = Held("ghost", 50)


def forced(sim: Simulation) -> None:
    def release(controller: Controller) -> None:
        if sim.calm:
            return
        store = sim.world.store
        names = [name for name, held in store.leases.items() if held.run == controller.run]
        for name in names if sim.rng.random() < 0.7 else names[-1:]:
            sim.lose_lease(name, "released by force")
        if sim.rng.random() < 0.8:
            sim.start_later(sim.rng.choice((0.0, 2.0, 20.0)))

    sim.moment(release)


def recreated(sim: Simulation) -> None:
    def swap(controller: Controller) -> None:
        store = sim.world.store
        names = [name for name, held in store.leases.items() if held.run == controller.run]
        if names and not sim.calm:
            name = sim.rng.choice(names)
            sim.lose_lease(name, "held by run somebody")
            store.acquire(name, "somebody", frozenset())
            sim.world.at(sim.rng.uniform(5.0, 300.0), store.release, name, "somebody")

    sim.moment(swap)


FAULTS = (
    Fault("quorum lost", (9,), "most members are cut off for a while, at any moment", quorum_lost),
    Fault("member down", (53,), "one member of etcd is down when the upgrade begins", member_down),
    Fault("member dies", (9, 53), "etcd stops on one node at any moment", member_dies),
    Fault("member lags", (11,), "a member takes long to catch up after its reboot", member_lags),
    Fault("leader moves", (53,), "etcd elects other leaders behind our back", leader_moves),
    Fault("lease conflicts", (10,), "a lease cannot be taken: the key keeps changing", conflicts),
    Fault("grant lost", (15,), "a lease is granted, but the answer is lost", grant_lost),
    Fault("release fails", (16,), "a lease cannot be given back after the upgrade", release_fails),
    Fault("deny fails", (9, 16), "the ledger does not answer when a version is to be denied", deny_fails),
    Fault("ghost lease", (7, 8), "a run nobody knows holds a lease", ghost),
    Fault("forced release", (56,), "an operator releases a live holder's leases and starts over", forced),
    Fault("lease recreated", (14,), "a lease is deleted and taken by somebody else", recreated),
)
