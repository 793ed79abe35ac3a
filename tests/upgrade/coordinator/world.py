"""A world in which everything works, one second at a time, unless a test says otherwise: for reading the coordinator's
mind. The faults and the invariants are the simulator's business (tests/upgrade/rehearse).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import replace

from coreops.upgrade.coordinator import RULEBOOK, Coordinator, Rulebook
from coreops.upgrade.observation import Health, Observation, StoreView, Ticket
from coreops.upgrade.plan import NodePlan, Plan, Policy
from coreops.upgrade.protocol import ROLLOUT, Action, Did, Do, Failed, Happening, Tick

OLD, NEW, SHA = "1.0.0", "1.1.0", "5" * 64
Answer = Callable[[Do], Happening | None]


def fresh(name: str) -> Observation:
    """A node that runs the old release, well."""
    return Observation(
        machine_id=name, boot_id=f"{name}-1", version=OLD, board="amd64-usr", slot="USR-A", passive="USR-B", good=True,
        next="USR-A",
    )  # fmt: skip


def plan(count: int = 3, *, members: bool = True, zones: int = 0, canaries: int = 1, **policy: object) -> Plan:
    """n0, n1, ...; the first ``canaries`` are canaries; ``zones`` 0: a zone for each."""
    nodes = tuple(
        NodePlan(name=f"n{i}", zone=f"z{i % zones if zones else i}", member=members, canary=i < canaries)
        for i in range(count)
    )
    return Plan(run="r1", version=NEW, sha256=SHA, nodes=nodes, policy=Policy(soak=5, turn=60, **policy))  # type: ignore[arg-type]


class World:
    """``answers``: what a test wants said to (node, action) instead; None: nothing is ever said."""

    def __init__(self, plan: Plan, rulebook: Rulebook = RULEBOOK, *, leader: str = "n0", wall: float = 0.0) -> None:
        self.coordinator = Coordinator(plan, rulebook)
        self.nodes = {node.name: fresh(node.name) for node in plan.nodes}
        self.members = frozenset(node.name for node in plan.nodes if node.member)
        self.healthy = self.members
        self.leader = leader
        self.wall = wall
        self.denied: frozenset[str] = frozenset()
        self.answers: dict[tuple[str, Action], Answer] = {}
        self.at: dict[float, Callable[[], Happening | None]] = {}
        self.told: list[Do] = []
        self.now = 0.0

    def change(self, node: str, **fields: object) -> None:
        self.nodes[node] = replace(self.nodes[node], **fields)  # type: ignore[arg-type]

    def run(self, limit: float = 100_000.0) -> World:
        """Until the rollout is over."""
        queue: list[tuple[float, int, Do]] = []

        def push(commands: list[Do]) -> None:
            for do in commands:
                heapq.heappush(queue, (max(self.now, do.at) + 1, do.serial, do))

        push(self.coordinator.begin(self.now, self.wall))
        while not self.coordinator.over:
            assert self.now < limit, self.coordinator.outcomes
            wake = self.coordinator.wake()
            moments = [queue[0][0] if queue else None, wake, min(self.at, default=None)]
            self.now = max(self.now, min(moment for moment in moments if moment is not None))
            if self.at and self.now >= min(self.at):
                happening = self.at.pop(min(self.at))()
            elif queue and queue[0][0] <= self.now:
                happening = self.answer(heapq.heappop(queue)[2])
            else:
                happening = Tick()
            if happening is not None:
                push(self.coordinator.handle(happening, self.now, self.wall + self.now))
        return self

    def answer(self, do: Do) -> Happening | None:
        self.told.append(do)
        if (do.node, do.action) in self.answers:
            return self.answers[do.node, do.action](do)
        return self.well(do)

    def well(self, do: Do) -> Happening:
        """What a world without faults does and says."""
        if do.node == ROLLOUT:
            return Did(do.node, do.serial, token=1, denied=self.denied)
        seen, done = self.nodes[do.node], Did(do.node, do.serial)
        if do.boot_id and do.boot_id != seen.boot_id:
            return Failed(do.node, do.serial, "another boot", "rebooted")
        store = StoreView(voters=self.members, healthy=self.healthy, leader=self.leader) if self.members else None
        ticket = Ticket(run="r1", version=NEW, sha256=SHA, slot="USR-B", boot_id=seen.boot_id, stage="activated")
        match do.action:
            case Action.SURVEY:
                return replace(done, seen=seen)
            case Action.LEASE:
                return replace(done, token=2)
            case Action.GATE | Action.CHECK:
                return replace(done, health=Health(store=store))
            case Action.STAGE:
                self.change(do.node, staged=SHA)
            case Action.MOVE_LEADER:
                self.leader = do.detail
            case Action.CORDON | Action.DRAIN:
                self.change(do.node, drained=True)
            case Action.UNDRAIN:
                self.change(do.node, drained=False, ticket=None)
            case Action.ACTIVATE:
                self.change(do.node, next="USR-B", ticket=ticket)
            case Action.ROLL_BACK:
                self.change(do.node, next="USR-A", ticket=replace(ticket, stage="rolling back"))
            case Action.REVERT:
                self.change(do.node, next=seen.slot, ticket=None)
            case Action.MARK_GOOD:
                self.change(do.node, good=True, ticket=replace(seen.ticket or ticket, stage="good"))
            case Action.REBOOT:
                self.reboot(do.node, seen.next)
        return done

    def reboot(self, node: str, slot: str) -> None:
        new = slot == "USR-B"
        self.change(
            node, boot_id=self.nodes[node].boot_id + "x", slot=slot, passive="USR-A" if new else "USR-B",
            version=NEW if new else OLD, good=not new, next="USR-A",
        )  # fmt: skip

    def actions(self, node: str, *but: Action) -> list[str]:
        """What was asked of a node, repetitions once."""
        said = [do.action for do in self.told if do.node == node and do.action not in but]
        return [action.value for i, action in enumerate(said) if i == 0 or said[i - 1] is not action]

    def order(self, action: Action) -> list[str]:
        return [do.node for do in self.told if do.action is action]


def fails(why: str = "no", kind: str = "failed") -> Answer:
    return lambda do: Failed(do.node, do.serial, why, kind)  # type: ignore[arg-type]
