"""What a simulation begins with: nodes, release, policy, and which faults will be injected; drawn from a seed, or taken
from an operator's own plan. Builds; runs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random

from coreops.upgrade.observation import Observation
from coreops.upgrade.plan import NodePlan, Patience, Plan, Policy
from coreops.upgrade.rehearse.images import BAD, GOOD, Behaviour, Image
from coreops.upgrade.rehearse.machine import SLOTS, Machine, Slot
from coreops.upgrade.rehearse.world import Durations
from coreops.upgrade.window import Window

OLD, NEW = "1.0.0", "1.1.0"
SHA = "5ha0fthere1ease"
MONDAY = 1_767_571_200.0
"""Monday 2026-01-05, 00:00 UTC."""
DST = 1_774_663_200.0
"""Saturday 2026-03-28, 02:00 UTC: the night after, clocks in Berlin skip an hour."""
HOOKS = ("before_drain", "before_reboot", "after_reboot", "on_failure")
WINDOWS = ("daily 01:00-03:00 UTC", "Mon-Fri 22:00-04:00 UTC", "Sun 01:30-03:30 Europe/Berlin", "daily 23:30-00:30 UTC")
PATIENCE = Patience(
    survey=30, stage=600, lease=60, gate=180, hook=60, drain=120, act=60, back=600, health=120, interval=5
)


@dataclass(slots=True, kw_only=True)
class Scenario:
    """odd: nodes on which the release behaves differently. faults: names from ``faults.FAULTS``."""

    plan: Plan
    machines: list[Machine]
    behaviour: Behaviour = GOOD
    odd: Mapping[str, Behaviour] = field(default_factory=dict)
    wall: float = MONDAY
    faults: tuple[str, ...] = ()
    durations: Durations = field(default_factory=Durations)

    def image(self, node: str) -> Image:
        """The release, as it is on this node's hardware."""
        return Image(self.plan.version, self.plan.sha256, self.odd.get(node, self.behaviour))


def draw(rng: Random, faults: tuple[str, ...], nodes: int | None = None) -> Scenario:
    """A small cluster: mostly three members, sometimes more nodes, zones, windows, hooks, or no store at all."""
    count = nodes or rng.choice((3, 3, 3, 4, 5, 5, 6, 7, 9))
    voters = min(count, rng.choice((0, 1, 3, 3, 3, 3, 5)))
    voters -= voters and (voters + 1) % 2
    zoned = rng.random() < 0.3
    members = set(rng.sample(range(count), voters))
    machines = [
        Machine(f"n{i + 1}", Image(OLD, "old"), zone=f"zone-{'abc'[i % 3]}" if zoned else "", member=i in members)
        for i in range(count)
    ]
    places = sorted(machines, key=lambda m: (m.member, m.zone))
    canaries = rng.choice((0, 1, 1, 1, 2))
    order = tuple(
        NodePlan(name=m.name, zone=m.zone, member=m.member, canary=rank < canaries) for rank, m in enumerate(places)
    )
    windows = (Window.parse(rng.choice(WINDOWS)),) if rng.random() < 0.15 else ()
    policy = Policy(
        max_unavailable=rng.choice((1, 1, 1, 2, 3)),
        max_failures=rng.choice((0, 0, 1, 2)),
        soak=rng.choice((10.0, 20.0, 30.0)),
        samples=rng.choice((1, 3)),
        windows=windows,
        turn=rng.choice((120.0, 300.0)),
        wait_for_window=bool(windows) and rng.random() < 0.7,
        allow_downtime=voters == 1 and rng.random() < 0.7,
        hooks=frozenset(rng.sample(HOOKS, 2)) if rng.random() < 0.3 else frozenset(),
        patience=PATIENCE,
    )
    back = rng.random() < 0.08
    plan = Plan(run="run-1", version=NEW, sha256="" if back else SHA, nodes=order, policy=policy, deny_source=back)
    scenario = Scenario(plan=plan, machines=machines, faults=faults)
    if back:
        for machine in machines:
            machine.slots = [Slot(Image(OLD, "old"), 2, 0, True), Slot(Image(NEW, ""), 1, 0, True)]
    if windows:
        scenario.wall = (DST if rng.random() < 0.5 else MONDAY) + rng.uniform(0, 86400)
    if rng.random() < 0.3 and not back:
        bad = BAD[rng.choice(list(BAD))]
        if rng.random() < 0.5:
            scenario.behaviour = bad
        else:
            scenario.odd = {rng.choice(machines).name: bad}
    return scenario


def of_plan(
    plan: Plan, rng: Random, faults: tuple[str, ...], seen: Mapping[str, Observation], durations: Durations
) -> Scenario:
    """The operator's own nodes and policy. What was seen of a node is how it begins; others run the old release."""
    plan = replace(plan, run="run-1", takes_over=frozenset(), sha256=plan.sha256 or "")
    machines = []
    for node in plan.nodes:
        one = seen.get(node.name)
        machine = Machine(node.name, Image(one.version if one else OLD, "old"), zone=node.zone, member=node.member)
        if one:
            _as_seen(machine, one, plan)
        elif not plan.sha256:
            machine.slots[1] = Slot(Image(plan.version, ""), 1, 0, True)
        machines.append(machine)
    scenario = Scenario(plan=plan, machines=machines, faults=faults, durations=durations, wall=MONDAY)
    chance = rng.random()
    if chance < 0.1 and plan.sha256:
        scenario.behaviour = BAD[rng.choice(list(BAD))]
    elif chance < 0.25 and plan.sha256:
        scenario.odd = {rng.choice(machines).name: BAD[rng.choice(list(BAD))]}
    return scenario


def _as_seen(machine: Machine, one: Observation, plan: Plan) -> None:
    other = Image(one.passive_version, "") if one.passive_version else None
    here, there = machine.slots
    if one.slot == SLOTS[1]:
        machine.booted = 1
        machine.slots = [there, here]
    machine.slots[1 - machine.booted] = Slot(other, 1 if one.fallback else 0, 0, one.fallback)
    machine.here.bits(2, 0, one.good)
    machine.machine_id, machine.board = one.machine_id, one.board
    machine.cordoned, machine.blockers, machine.failed_units = one.cordoned, one.blockers, one.failed_units
    if plan.sha256 and one.staged == plan.sha256:
        machine.staged = one.staged
        machine.other.image = Image(plan.version, plan.sha256)
