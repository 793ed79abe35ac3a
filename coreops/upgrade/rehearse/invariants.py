"""What must hold in the simulated world whatever happens: DESIGN's I1-I9, each a function that looks at the world's
truth at the moment something happens. Nothing here asks what a coordinator believes.

A controller cannot know what has not reached it, so some rules are held against what it was *told* (answers that
arrived) or could have known at its last gate; each place says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from coreops.upgrade import window
from coreops.upgrade.coordinator.outcome import FAILURES, WELL, Outcome
from coreops.upgrade.observation import Health
from coreops.upgrade.plan import Plan
from coreops.upgrade.protocol import ROLLOUT, Action, Do
from coreops.upgrade.rehearse.controller import Controller
from coreops.upgrade.rehearse.hands import Asker
from coreops.upgrade.rehearse.images import NEVER
from coreops.upgrade.rehearse.machine import SLOTS, Machine
from coreops.upgrade.rehearse.store import Held
from coreops.upgrade.rehearse.world import World

FRESH = 20.0
"""How old, in seconds, what a gate showed may be when a reboot rests on it."""
RENEWAL = 15.0
"""A controller learns within this time that it lost a lease."""


class Broken(Exception):
    """An invariant does not hold."""

    def __init__(self, invariant: str, detail: str, at: float) -> None:
        super().__init__(f"{invariant} broken at {at:.1f} s: {detail}")
        self.invariant, self.detail, self.at = invariant, detail, at


@dataclass(slots=True)
class Row:
    """An unbroken row of good samples in one boot."""

    boot_id: str
    first: float
    last: float
    count: int = 1


@dataclass(slots=True)
class Node:
    """What is true of a node and its machine does not know: how it was before anybody began, how it went since.

    reboots: into the release, as ordered. proven: the boot whose slot was marked good rightly. hopeless: it had no good
    slot at the start. drained_by, drained_at: the run that moved its work away, and when.
    """

    machine: Machine
    boot_id: str
    slot: int
    version: str
    cordoned: bool
    hopeless: bool
    reboots: int = 0
    row: Row | None = None
    proven: bool = False
    drained_by: str = ""
    drained_at: float = 0.0


class Invariants:
    """Watches one simulation, which ends with Broken as soon as something does not hold."""

    def __init__(self, world: World, plan: Plan) -> None:
        self.world, self.plan = world, plan
        self.nodes = {
            name: Node(m, m.boot_id, m.booted, m.version, m.cordoned, not any(s.known_good for s in m.slots))
            for name, m in world.machines.items()
        }
        self.canaries = [one.name for one in plan.nodes if one.canary]
        self.down: dict[str, None] = {}
        self.coming: dict[tuple[str, int], str] = {}
        self.worst = 0
        self.gated: dict[tuple[str, str], float] = {}
        self.lost: dict[tuple[str, str], float] = {}
        self.denied_before: dict[str, bool] = {}
        self.failures: dict[str, dict[str, float]] = {}
        self.unreleased: set[str] = set()
        self.ids: dict[tuple[str, str], str] = {}
        self.leading: set[tuple[str, str]] = set()
        self.done_at: dict[str, float] = {}
        world.on_boot.append(self._booted)

    def broken(self, invariant: str, detail: str) -> Broken:
        return Broken(invariant, detail, self.world.now)

    # What controllers decide

    def began(self, controller: Controller) -> None:
        self.denied_before[controller.run] = self.plan.version in self.world.store.denied

    def emitted(self, controller: Controller, do: Do) -> None:
        if do.action in (Action.CORDON, Action.DRAIN):
            if not self.world.machines[do.node].drained:
                self._failure_budget(controller, do.node)
                self._canary_first(controller, do.node)
                self._leader_last(controller, do.node)
                self._denied_is_not_begun(controller, do.node)
            if not self._deposed(controller.run, self.world.now):
                self._max_unavailable(controller, do.node)
                self._one_zone(controller, do.node)
            self.coming[controller.run, do.serial] = do.node
        elif do.action is Action.LEASE:
            self.leading.discard((controller.run, do.node))
        elif do.action is Action.REBOOT:
            if do.node not in self.down:
                self._max_unavailable(controller, do.node)
            self._in_window(controller, do.node)

    def stepped(self, controller: Controller, node: str | None) -> None:
        """The coordinator has dealt with what it heard (from ``node``)."""
        turns = controller.coordinator.turns
        if node is None and len(turns) > 50:
            return
        failed = self.failures.setdefault(controller.run, {})
        for name in turns if node is None else (node,):
            if name == ROLLOUT:
                continue
            outcome = turns[name].outcome
            if outcome is Outcome.DONE:
                self._done_is_proven(name)
                self.done_at.setdefault(name, self.world.now)
            elif outcome in FAILURES:
                failed.setdefault(name, self.world.now)

    # What happens to nodes

    def arrived(self, asker: Asker, do: Do, machine: Machine | None) -> None:
        if do.action in (Action.CORDON, Action.DRAIN):
            self.coming.pop((asker.run, do.serial), None)

    def acted(self, asker: Asker, do: Do, machine: Machine) -> None:
        """Called after the act, but before a slot is written and before a node goes down."""
        self._same_machine(asker, machine)
        match do.action:
            case Action.STAGE:
                self._good_slot_is_kept(machine, machine.here.known_good)
            case Action.CORDON | Action.DRAIN:
                if machine.name not in self.down:
                    self.nodes[machine.name].drained_by = asker.run
                    self.nodes[machine.name].drained_at = self.world.now
                self.down[machine.name] = None
                self.worst = max(self.worst, len(self.down))
            case Action.UNDRAIN:
                self.down.pop(machine.name, None)
            case Action.REBOOT:
                self._lease_is_held(asker, do, machine)
                self._drain_succeeded(machine)
                self._keeps_quorum(asker, machine)
                self._leader_has_moved(asker, machine)
            case Action.MARK_GOOD:
                self._soaked(machine)
                self._good_slot_is_kept(machine)
            case _:
                self._good_slot_is_kept(machine)

    def looked(self, asker: Asker, machine: Machine) -> None:
        self.ids.setdefault((asker.run, machine.name), machine.machine_id)

    def sampled(self, asker: Asker, do: Do, machine: Machine, health: Health) -> None:
        now, node = self.world.now, self.nodes[machine.name]
        if do.action is Action.GATE:
            self.gated[asker.run, machine.name] = now
            if machine.name == self.world.store.leader:
                self.leading.add((asker.run, machine.name))
        elif health.verdict != "ok":
            node.row = None
        elif node.row is None or node.row.boot_id != machine.boot_id:
            node.row = Row(machine.boot_id, now, now)
        else:
            node.row.last = now
            node.row.count += 1

    def ledger_silent(self, asker: Asker, do: Do) -> None:
        """A lease could not be given back; the run says so, and it stays."""
        if do.action is Action.RELEASE:
            self.unreleased.add(do.node)

    def lease_moved(self, name: str, before: Held | None) -> None:
        """A lease went to somebody else, or was released by force."""
        if before is not None:
            self.lost[before.run, name] = self.world.now

    def _booted(self, machine: Machine, commanded: bool) -> None:
        node, image = self.nodes[machine.name], machine.here.image
        if commanded and image and image.version == self.plan.version and machine.booted != node.slot:
            node.reboots += 1
            self._reboots_once(node)
        elif image and image.version != self.plan.version:
            node.slot = machine.booted

    # I1

    def _unavailable(self, controller: Controller, node: str) -> set[str]:
        """Truly disrupted by anybody's rollout, or not known to this controller to be up at the gate; and the node."""
        known = self.gated.get((controller.run, node), 0.0)
        silent = (name for name, since in controller.down.items() if since < known)
        drained = (
            name for name in self.down if not self._deposed(self.nodes[name].drained_by, self.nodes[name].drained_at)
        )
        coming = (name for (run, _), name in self.coming.items() if not self._deposed(run, self.world.now))
        return {*drained, *coming, *silent, *controller.unseen, node}

    def _deposed(self, run: str, when: float) -> bool:
        """Had an operator, a moment before, taken the rollout's lease by force from this run, which lives? It will hear
        of that within RENEWAL seconds, and the operator was told.
        """
        lost = self.lost.get((run, ROLLOUT), NEVER)
        return lost <= when < lost + RENEWAL

    def _max_unavailable(self, controller: Controller, node: str) -> None:
        allowed = self.plan.policy.max_unavailable
        if len(controller.unseen) > allowed:
            raise self.broken("I1 max unavailable", f"{node} goes down, {len(controller.unseen)} nodes were never seen")
        names = self._unavailable(controller, node)
        if len(names) > allowed:
            raise self.broken("I1 max unavailable", f"{node} goes down: {sorted(names)} are more than {allowed}")

    def _one_zone(self, controller: Controller, node: str) -> None:
        zones = {self.world.machines[name].zone for name in self._unavailable(controller, node)}
        if len(zones) > 1:
            raise self.broken("I1 one failure domain", f"{node} goes down: {sorted(zones)} at a time")

    # I2

    def _keeps_quorum(self, asker: Asker, machine: Machine) -> None:
        """Members that stopped serving after the last gate, not long ago, could not be known of; and when the node
        itself did not serve then, it was to be mended.
        """
        store, name = self.world.store, machine.name
        if not machine.member or name not in store.serving:
            return
        if len(store.voters) == 1:
            if not self.plan.policy.allow_downtime:
                raise self.broken("I2 quorum", f"{name} is the only member and goes down")
            return
        known = self._last_gate(asker, name)
        if self.world.serves_since.get(name, -NEVER) >= known:
            return
        up = {one for one in store.voters if one in store.serving or self.world.went_at.get(one, -1.0) >= known}
        if len(up - {name}) < store.needed:
            raise self.broken("I2 quorum", f"{name} goes down, only {sorted(up - {name})} of {len(store.voters)} serve")

    def _leader_has_moved(self, asker: Asker, machine: Machine) -> None:
        store, name = self.world.store, machine.name
        if store.leader != name or len(store.serving) < 2 or self.world.led_at >= self._last_gate(asker, name):
            return
        raise self.broken("I2 leader", f"{name} goes down while it leads and could have handed over")

    def _last_gate(self, asker: Asker, name: str) -> float:
        return max(self.gated.get((asker.run, name), -1e9), self.world.now - FRESH)

    def _leader_last(self, controller: Controller, node: str) -> None:
        """Who led when its turn began goes after the others, also when it has handed over since. Canaries may go."""
        if node in self.canaries or (controller.run, node) not in self.leading:
            return
        turns = controller.coordinator.turns
        left = [n for n in self.world.store.voters if n != node and n in turns and turns[n].outcome is None]
        if left:
            raise self.broken("I2 leader last", f"{node} leads and goes before {sorted(left)}")

    # I3

    def _lease_is_held(self, asker: Asker, do: Do, machine: Machine) -> None:
        held = self.world.store.leases.get(machine.name)
        if held is not None and held.run == asker.run and held.token == do.token:
            return
        if self.world.now - self.lost.get((asker.run, machine.name), -1e9) > RENEWAL:
            raise self.broken("I3 lease", f"run {asker.run} reboots {machine.name}; the lease: {held or 'nobody'}")

    def _in_window(self, controller: Controller, node: str) -> None:
        """By the controller's own clock: it has no other. A jump a moment ago is not held against it."""
        windows, ticket = self.plan.policy.windows, self.world.machines[node].ticket
        if not windows or (ticket and ticket.stage == "rolling back"):
            return
        if not any(window.open_at(windows, wall) for wall in controller.walls()):
            raise self.broken("I3 window", f"{node} is rebooted while the window is closed")

    def _drain_succeeded(self, machine: Machine) -> None:
        if not machine.drain_done:
            raise self.broken("I3 drain", f"{machine.name} is rebooted with its work on it")

    # I4

    def _good_slot_is_kept(self, machine: Machine, kept: bool | None = None) -> None:
        if kept is None:
            kept = any(slot.known_good for slot in machine.slots)
        if not kept and not self.nodes[machine.name].hopeless:
            a, b = machine.slots
            raise self.broken("I4 good slot", f"{machine.name} has no other good slot: A {a}, B {b}")

    # I5

    def _soaked(self, machine: Machine) -> None:
        node, policy = self.nodes[machine.name], self.plan.policy
        row = node.row
        if machine.booted == node.slot and machine.version == node.version:
            return
        if row is None or row.boot_id != machine.boot_id or row.count < policy.samples:
            raise self.broken("I5 soak", f"{machine.name} is called good after {row.count if row else 0} good samples")
        if row.last - row.first < policy.soak - 2 * policy.patience.interval - 5.0:
            raise self.broken("I5 soak", f"{machine.name} is called good after {row.last - row.first:.0f} s of health")
        node.proven = True

    def _done_is_proven(self, name: str) -> None:
        node = self.nodes[name]
        machine = node.machine
        facts = {
            "another boot": machine.boot_id != node.boot_id,
            "the other slot": machine.booted != node.slot,
            "the version": machine.version == self.plan.version,
            "marked good": machine.here.successful,
            "health held": node.proven,
        }
        missing = [fact for fact, holds in facts.items() if not holds]
        if missing and node.version != self.plan.version:
            raise self.broken("I5 proof", f"{name} is called done without: {', '.join(missing)}")

    def _same_machine(self, asker: Asker, machine: Machine) -> None:
        if self.ids.get((asker.run, machine.name), machine.machine_id) != machine.machine_id:
            raise self.broken("same machine", f"another machine answers for {machine.name}, and is changed")

    # I6, I7

    def _denied_is_not_begun(self, controller: Controller, node: str) -> None:
        if self.denied_before.get(controller.run):
            raise self.broken("I6 denied", f"{node} is begun, though {self.plan.version} is denied")

    def _reboots_once(self, node: Node) -> None:
        if node.reboots > 1:
            raise self.broken("I7 one reboot", f"{node.machine.name} was rebooted into {self.plan.version} twice")

    # Policy

    def _failure_budget(self, controller: Controller, node: str) -> None:
        known = self.gated.get((controller.run, node), 0.0)
        failed = [name for name, when in self.failures.get(controller.run, {}).items() if when < known]
        if len(failed) > self.plan.policy.max_failures:
            raise self.broken("failure budget", f"{node} is begun after {sorted(failed)} failed")

    def _canary_first(self, controller: Controller, node: str) -> None:
        """Canaries alone, and before all others. What an earlier run left half done is no beginning."""
        turns = controller.coordinator.turns
        canaries = [name for name in self.canaries if turns[name].outcome is None]
        if node in canaries:
            others = [n for n in self.down if n != node and turns[n].outcome is None and self._begun_by(controller, n)]
            if others:
                raise self.broken("canary", f"the canary {node} is begun beside {others}")
        elif canaries:
            raise self.broken("canary", f"{node} is begun before the canaries {canaries}")

    def _begun_by(self, controller: Controller, node: str) -> bool:
        return self.nodes[node].drained_by == controller.run

    # At the end

    def ended(self, controller: Controller) -> None:
        """I9: a run that is over names every node, once, and truly; and it has given back what it does not need."""
        outcomes = controller.coordinator.outcomes
        missing = sorted(self.world.machines.keys() - outcomes.keys())
        if missing:
            raise self.broken("I9 every node", f"run {controller.run} says nothing about {missing}")
        for name, outcome in outcomes.items():
            runs = self.world.machines[name].version == self.plan.version
            if outcome in WELL and not runs and self.nodes[name].version != self.plan.version:
                raise self.broken("I9 every node", f"{name} is called {outcome}, but runs another version")
            held = self.world.store.leases.get(name)
            if outcome in WELL and held and held.run == controller.run and name not in self.unreleased:
                raise self.broken("I7 converges", f"{name} is {outcome}, and its lease is kept")
            if outcome is Outcome.ROLLED_BACK and self.plan.sha256 and self.plan.version not in self.world.store.denied:
                raise self.broken("I6 denied", f"{name} was rolled back, but {self.plan.version} is not denied")

    def settled(self, controller: Controller) -> None:
        """I7 and I8: faults have stopped, a last ``resume`` is over: nothing is half done, nothing left behind."""
        outcomes = controller.coordinator.outcomes
        if len(self.world.store.voters) == 1 and not self.world.store.available:
            return  # the operator allowed to stop the only member; without it there is no lease to mend it under
        for name, node in self.nodes.items():
            machine = node.machine
            if machine.cordoned != node.cordoned:
                raise self.broken("I8 cordon", f"{name}: the operator's cordon was changed")
            if not self.world.reachable(machine) or not machine.host_key or not machine.sudo or node.hopeless:
                continue
            if machine.drained:
                raise self.broken("I8 cordon", f"{name} is still drained ({outcomes[name]})")
            if machine.ticket or (machine.version == self.plan.version and not machine.here.successful):
                stage = machine.ticket.stage if machine.ticket else f"slot {SLOTS[machine.booted]} not proven"
                raise self.broken("I7 converges", f"{name} is half done ({outcomes[name]}): {stage}")
