"""Does what a coordinator asks for, in the simulated world, and answers: the counterpart of ``upgrade.cluster``.

A command travels, is done (or refused) on the node, and the answer travels back; each leg can be lost. What becomes of
a command is decided by where the machine is at that moment. Traps (set by faults) may take a command out of its way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from coreops.upgrade.observation import Health, Ticket
from coreops.upgrade.plan import Plan
from coreops.upgrade.protocol import ROLLOUT, Action, Did, Do, Failed, FailureKind, Happening
from coreops.upgrade.rehearse.images import Image
from coreops.upgrade.rehearse.machine import SLOTS, Machine
from coreops.upgrade.rehearse.store import Held
from coreops.upgrade.rehearse.world import World

LEDGER = frozenset({Action.LEASE, Action.RELEASE, Action.DENY})
HOOKS = frozenset({Action.BEFORE_DRAIN, Action.BEFORE_REBOOT, Action.AFTER_REBOOT, Action.ON_FAILURE})


class Asker(Protocol):
    """A controller, as far as the hands know one."""

    run: str
    plan: Plan
    alive: bool

    def hear(self, happening: Happening) -> None: ...


class Witness(Protocol):
    """Sees what truly happens to nodes, when it happens."""

    def arrived(self, asker: Asker, do: Do, machine: Machine | None) -> None: ...
    def acted(self, asker: Asker, do: Do, machine: Machine) -> None: ...
    def looked(self, asker: Asker, machine: Machine) -> None: ...
    def sampled(self, asker: Asker, do: Do, machine: Machine, health: Health) -> None: ...
    def ledger_silent(self, asker: Asker, do: Do) -> None: ...
    def lease_moved(self, name: str, before: Held | None) -> None: ...


Trap = Callable[[Asker, Do, Machine | None], bool]


class Hands:
    """Executes every ``Do`` for every controller. image: what the release is, per node. traps: asked first; one that
    returns True has dealt with the command.
    """

    def __init__(self, world: World, images: Callable[[str], Image], witness: Witness) -> None:
        self.world = world
        self.images = images
        self.witness = witness
        self.traps: dict[Action, list[Trap]] = {}
        self.alive: Callable[[str], bool] = lambda run: False
        self.on_lost: Callable[[str, str, str], object] = lambda run, name, why: None
        self._acts: dict[Action, Callable[[Asker, Do, Machine], None]] = {
            Action.SURVEY: self._survey,
            Action.STAGE: self._stage,
            Action.GATE: self._gate,
            Action.CHECK: self._check,
            Action.MOVE_LEADER: self._move_leader,
            Action.CORDON: self._cordon,
            Action.DRAIN: self._drain,
            Action.ACTIVATE: self._activate,
            Action.REBOOT: self._reboot,
            Action.MARK_GOOD: self._mark_good,
            Action.REVERT: self._revert,
            Action.ROLL_BACK: self._roll_back,
            Action.UNDRAIN: self._undrain,
            **dict.fromkeys(HOOKS, self._hook),
        }

    def send(self, asker: Asker, do: Do, delay: float) -> None:
        """Put a command on its way."""
        world = self.world
        travel = world.durations.ledger if do.action in LEDGER else world.durations.command
        world.at(delay + world.around(travel), self.arrive, asker, do)

    def arrive(self, asker: Asker, do: Do) -> None:
        world = self.world
        machine = None if do.node == ROLLOUT else world.machines[do.node]
        self.witness.arrived(asker, do, machine)
        traps = self.traps.get(do.action)
        if traps:
            for trap in list(traps):
                if trap(asker, do, machine):
                    return
        if do.action in LEDGER:
            self._ledger(asker, do, machine)
        elif machine is not None and self.admitted(asker, do, machine):
            self._acts[do.action](asker, do, machine)

    def admitted(self, asker: Asker, do: Do, machine: Machine) -> bool:
        """Gets the command to the node, and does the node want to hear it? (The questions of ``guard``.)"""
        world = self.world
        if not world.reachable(machine):
            cut = machine.name in world.cut
            wait = world.durations.unanswered if cut or not machine.up else world.durations.refused
            self.fail(asker, do, "connection timed out" if cut else "connection refused", "unreachable", wait)
        elif not machine.host_key:
            self.fail(asker, do, "the host key is not the known one", "identity")
        elif not machine.sudo:
            self.fail(asker, do, "sudo asks for a password")
        elif do.boot_id and do.boot_id != machine.boot_id:
            self.fail(asker, do, f"boot {machine.boot_id}, expected {do.boot_id}", "rebooted")
        elif do.token and do.token < machine.fence:
            self.fail(asker, do, f"token {machine.fence} was here, ours is {do.token}", "fenced")
        else:
            machine.fence = max(machine.fence, do.token)
            return True
        return False

    def fail(self, asker: Asker, do: Do, why: str, kind: FailureKind = "failed", delay: float = 0.0) -> None:
        self.world.at(delay, asker.hear, Failed(do.node, do.serial, why, kind))

    def answer(self, asker: Asker, do: Do, machine: Machine, did: Did, delay: float = 0.0) -> None:
        """The answer comes, unless the node or the line went away before."""
        if delay:
            self.world.at(delay, self._deliver, asker, do, machine, machine.boots, did)
        else:
            asker.hear(did)

    def _deliver(self, asker: Asker, do: Do, machine: Machine, boots: int, did: Did) -> None:
        if machine.boots == boots and self.world.reachable(machine):
            asker.hear(did)
        else:
            self.fail(asker, do, "the connection broke", "unreachable")

    # The ledger

    def _ledger(self, asker: Asker, do: Do, machine: Machine | None) -> None:
        world, store = self.world, self.world.store
        if not store.available or (not store.voters and machine is not None and not world.reachable(machine)):
            self.fail(asker, do, "etcd does not answer", "unreachable", world.durations.unanswered)
            self.witness.ledger_silent(asker, do)
            return
        if do.action is Action.DENY:
            store.deny(do.detail)
        elif do.action is Action.RELEASE:
            store.release(do.node, asker.run)
        else:
            before = store.leases.get(do.node)
            dead = frozenset(run for run in asker.plan.takes_over if not self.alive(run))
            held = store.acquire(do.node, asker.run, dead)
            if held is not before:
                self.witness.lease_moved(do.node, before)
                if before is not None:
                    self.on_lost(before.run, do.node, f"held by run {asker.run}")
            if held.run != asker.run:
                self.fail(asker, do, f"run {held.run} holds the lease of {do.node}", "busy", world.durations.ledger)
                return
            denied = frozenset(store.denied) if do.node == ROLLOUT else frozenset[str]()
            world.at(world.durations.ledger, asker.hear, Did(do.node, do.serial, token=held.token, denied=denied))
            return
        world.at(world.durations.ledger, asker.hear, Did(do.node, do.serial))

    # Looks

    def _survey(self, asker: Asker, do: Do, machine: Machine) -> None:
        self.witness.looked(asker, machine)
        self.answer(asker, do, machine, Did(do.node, do.serial, seen=machine.observe(self.world.now)))

    def _gate(self, asker: Asker, do: Do, machine: Machine) -> None:
        world = self.world
        if world.gates_fail_until > world.now:
            health = Health(verdict="bad", reasons=("prometheus does not answer",), store=world.store.view())
        else:
            health = self._health(machine)
        self._sample(asker, do, machine, health)

    def _check(self, asker: Asker, do: Do, machine: Machine) -> None:
        known = machine.ticket.failed_units if machine.ticket else ()
        new = tuple(unit for unit in machine.failed_units if unit not in known)
        if new:
            self._sample(asker, do, machine, Health(verdict="bad", reasons=tuple(f"{unit} failed" for unit in new)))
        else:
            self._sample(asker, do, machine, self._health(machine))

    def _sample(self, asker: Asker, do: Do, machine: Machine, health: Health) -> None:
        self.witness.sampled(asker, do, machine, health)
        self.answer(asker, do, machine, Did(do.node, do.serial, health=health))

    def _health(self, machine: Machine) -> Health:
        world = self.world
        view = world.store.view() if machine.member else None
        if view is not None and view.leader is None:
            return Health(verdict="wait", reasons=("etcd has no leader",), store=view)
        if world.well(machine):
            if world.vetoed.get(machine.name, 0.0) > world.now:
                return Health(verdict="wait", reasons=("a workload vetoes",), store=view)
            return Health(verdict="ok", reasons=(), store=view)
        starting = world.now - machine.since < 30.0 and machine.name not in world.store.serving
        if machine.member and starting:
            return Health(verdict="wait", reasons=("etcd is catching up",), store=view)
        return Health(verdict="bad", reasons=("services are not well",), store=view)

    # Acts

    def _hook(self, asker: Asker, do: Do, machine: Machine) -> None:
        self.answer(asker, do, machine, Did(do.node, do.serial), self.world.around(self.world.durations.hook))

    def _move_leader(self, asker: Asker, do: Do, machine: Machine) -> None:
        if self.world.move_leader(do.detail):
            self.answer(asker, do, machine, Did(do.node, do.serial))
        else:
            self.fail(asker, do, f"{do.detail} cannot lead")

    def _stage(self, asker: Asker, do: Do, machine: Machine) -> None:
        image = self.images(machine.name)
        if machine.staged == image.sha256:
            self.answer(asker, do, machine, Did(do.node, do.serial))
            return
        self.witness.acted(asker, do, machine)
        machine.begin_staging()
        self.world.at(self.world.around(self.world.durations.stage), self._staged, asker, do, machine, machine.boots)

    def _staged(self, asker: Asker, do: Do, machine: Machine, boots: int) -> None:
        if machine.boots != boots or not self.world.reachable(machine):
            machine.staging = False
            self.fail(asker, do, "the connection broke", "unreachable")
        elif not asker.alive or not machine.staging:
            machine.staging = False
        elif machine.end_staging(self.images(machine.name)):
            self.answer(asker, do, machine, Did(do.node, do.serial))
        else:
            self.fail(asker, do, "the slot does not read back as it was sent")

    def _cordon(self, asker: Asker, do: Do, machine: Machine) -> None:
        machine.drained = True
        self.witness.acted(asker, do, machine)
        self.answer(asker, do, machine, Did(do.node, do.serial))

    def _drain(self, asker: Asker, do: Do, machine: Machine) -> None:
        machine.drained = True
        self.witness.acted(asker, do, machine)
        delay = 0.0 if machine.drain_done else self.world.around(self.world.durations.drain)
        self.world.at(delay, self._drained, asker, do, machine, machine.boots)

    def _drained(self, asker: Asker, do: Do, machine: Machine, boots: int) -> None:
        if machine.boots == boots and machine.up and machine.drained:
            machine.drain_done = True
        self._deliver(asker, do, machine, boots, Did(do.node, do.serial))

    def _undrain(self, asker: Asker, do: Do, machine: Machine) -> None:
        delay = self.world.around(self.world.durations.undrain)
        self.world.at(delay, self._undrained, asker, do, machine, machine.boots)

    def _undrained(self, asker: Asker, do: Do, machine: Machine, boots: int) -> None:
        """What was stopped runs again; the ticket goes last."""
        if machine.boots == boots and machine.up:
            machine.drained = machine.drain_done = False
            self.witness.acted(asker, do, machine)
        self.world.at(self.world.durations.command, self._finished, asker, do, machine, boots)

    def _finished(self, asker: Asker, do: Do, machine: Machine, boots: int) -> None:
        if machine.boots == boots and machine.up:
            machine.ticket = None
        self._deliver(asker, do, machine, boots, Did(do.node, do.serial))

    def ticket(self, asker: Asker, machine: Machine) -> Ticket:
        """What ACTIVATE leaves on the node."""
        return Ticket(
            run=asker.run,
            version=asker.plan.version,
            sha256=asker.plan.sha256,
            slot=SLOTS[1 - machine.booted],
            boot_id=machine.boot_id,
            stage="activated",
            failed_units=machine.failed_units,
        )

    def _activate(self, asker: Asker, do: Do, machine: Machine) -> None:
        why = machine.activate(self.ticket(asker, machine), asker.plan.sha256)
        if why:
            self.fail(asker, do, why)
        else:
            self._acted(asker, do, machine)

    def _mark_good(self, asker: Asker, do: Do, machine: Machine) -> None:
        machine.mark_good()
        self._acted(asker, do, machine)

    def _revert(self, asker: Asker, do: Do, machine: Machine) -> None:
        machine.revert()
        self._acted(asker, do, machine)

    def _roll_back(self, asker: Asker, do: Do, machine: Machine) -> None:
        machine.roll_back(machine.ticket or self.ticket_of_booted(asker, machine))
        self._acted(asker, do, machine)

    def ticket_of_booted(self, asker: Asker, machine: Machine) -> Ticket:
        """For a node that runs an unproven release and has no ticket."""
        return Ticket(
            run=asker.run,
            version=asker.plan.version,
            sha256=asker.plan.sha256,
            slot=SLOTS[machine.booted],
            boot_id=machine.boot_id,
            stage="rolling back",
        )

    def _acted(self, asker: Asker, do: Do, machine: Machine) -> None:
        self.witness.acted(asker, do, machine)
        self.answer(asker, do, machine, Did(do.node, do.serial), self.world.around(self.world.durations.command))

    def _reboot(self, asker: Asker, do: Do, machine: Machine) -> None:
        self.witness.acted(asker, do, machine)
        if not machine.pending:
            machine.pending = True
            self.world.at(
                self.world.around(self.world.durations.command), self.goes_down, asker, do, machine, machine.boots
            )
        self.answer(asker, do, machine, Did(do.node, do.serial), 0.1)

    def goes_down(self, asker: Asker, do: Do, machine: Machine, boots: int) -> None:
        if machine.pending and machine.boots == boots:
            self.world.reset(machine, f"asked by run {asker.run}", commanded=True)
