"""An operator's own rollout, played many times before it is real: the very coordinator, on simulated copies of the
nodes, under seeded faults. What comes out is data; ``picture`` draws it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from coreops.upgrade.coordinator.outcome import WELL
from coreops.upgrade.observation import Observation
from coreops.upgrade.plan import NodePlan, Plan
from coreops.upgrade.rehearse.faults import USUAL, Profile
from coreops.upgrade.rehearse.invariants import Broken
from coreops.upgrade.rehearse.scenario import of_plan
from coreops.upgrade.rehearse.seeds import prepare
from coreops.upgrade.rehearse.simulation import Ending, Simulation
from coreops.upgrade.rehearse.world import Durations


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One rollout. complete: every node got the release. stopped: why nothing more was begun, "" when nothing stopped
    it. broken: the invariant that did not hold, which is a fault of coreops, and "" as far as anybody knows.
    """

    seed: int
    seconds: float
    worst_unavailable: int
    outcomes: Mapping[str, int]
    complete: bool
    stopped: str
    faults: tuple[str, ...]
    broken: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """All of them. budget_stopped: how often the failure budget ended it. worst: the one to look at first."""

    nodes: int
    max_unavailable: int
    played: tuple[Played, ...]

    @property
    def complete(self) -> int:
        """How many gave every node the release."""
        return sum(one.complete for one in self.played)

    @property
    def budget_stopped(self) -> int:
        return sum("allowed for" in one.stopped for one in self.played)

    @property
    def broken(self) -> tuple[Played, ...]:
        return tuple(one for one in self.played if one.broken)

    @property
    def worst_unavailable(self) -> int:
        """Nodes that were drained or rebooting at the same time, at most."""
        return max((one.worst_unavailable for one in self.played), default=0)

    @property
    def outcomes(self) -> dict[str, int]:
        """How nodes ended, over all rollouts."""
        total = Counter[str]()
        for one in self.played:
            total.update(one.outcomes)
        return dict(total.most_common())

    @property
    def worst(self) -> Played:
        """A broken one; else the one with most nodes lost, then with most that did not get the release; else the
        slowest."""
        return max(self.played, key=_badness)

    def durations(self) -> list[float]:
        """Of the complete ones, sorted."""
        return sorted(one.seconds for one in self.played if one.complete)

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        took = self.durations()
        return {
            "runs": len(self.played),
            "nodes": self.nodes,
            "complete": self.complete,
            "budget_stopped": self.budget_stopped,
            "worst_unavailable": self.worst_unavailable,
            "seconds": {name: round(quantile(took, part), 1) for name, part in QUANTILES.items()} if took else {},
            "outcomes": self.outcomes,
            "worst_seed": self.worst.seed,
            "broken": {str(one.seed): one.broken for one in self.broken},
        }


QUANTILES = {"fastest": 0.0, "median": 0.5, "p95": 0.95, "slowest": 1.0}


def quantile(sorted_values: list[float], part: float) -> float:
    """The value below which ``part`` of them lie."""
    return sorted_values[min(len(sorted_values) - 1, int(part * len(sorted_values)))]


def enlarge(plan: Plan, nodes: int) -> Plan:
    """The same plan as if there were so many nodes: more of those that are no members of the store, in the same zones;
    or fewer, members last to go."""
    if nodes <= len(plan.nodes):
        kept = sorted(plan.nodes, key=lambda node: not node.member)[:nodes]
        return replace(plan, nodes=tuple(node for node in plan.nodes if node in kept))
    zones = list(dict.fromkeys(node.zone for node in plan.nodes))
    canaries = tuple(node for node in plan.nodes if node.canary)
    taken = {node.name for node in plan.nodes}
    names = (name for name in (f"node-{i}" for i in range(2 * nodes)) if name not in taken)
    more = (NodePlan(name=name, zone=zones[i % len(zones)]) for i, name in enumerate(names))
    added = [node for node, _ in zip(more, range(nodes - len(plan.nodes)), strict=False)]
    rest = sorted((*added, *(n for n in plan.nodes if not n.canary)), key=lambda n: (n.member, zones.index(n.zone)))
    return replace(plan, nodes=(*canaries, *rest))


def rehearse(
    plan: Plan,
    *,
    runs: int = 1000,
    seed: int = 0,
    durations: Durations | None = None,
    seen: Mapping[str, Observation] | None = None,
    profile: Profile = USUAL,
    wall: float | None = None,
    progress: Callable[[int], object] = lambda done: None,
) -> Rehearsal:
    """Play seeds ``seed`` to ``seed + runs - 1``. seen: how the nodes are now. wall: when it would begin (epoch)."""
    played = []
    for done, simulation in enumerate(_simulations(plan, range(seed, seed + runs), durations, seen, profile, wall)):
        played.append(_play(seed + done, simulation))
        progress(done + 1)
    return Rehearsal(nodes=len(plan.nodes), max_unavailable=plan.policy.max_unavailable, played=tuple(played))


def replay(
    plan: Plan,
    seed: int,
    *,
    durations: Durations | None = None,
    seen: Mapping[str, Observation] | None = None,
    profile: Profile = USUAL,
    wall: float | None = None,
) -> list[str]:
    """One of them, event by event, as lines."""
    trace: list[str] = []
    for simulation in _simulations(plan, range(seed, seed + 1), durations, seen, profile, wall, trace):
        one = _play(seed, simulation)
        ends = ", ".join(f"{count} {outcome}" for outcome, count in one.outcomes.items())
        trace.append(f"faults: {', '.join(one.faults) or 'none'}")
        trace.append(one.broken or f"nodes: {ends}" + (f"; stopped: {one.stopped}" if one.stopped else ""))
    return trace


def _simulations(
    plan: Plan,
    seeds: range,
    durations: Durations | None,
    seen: Mapping[str, Observation] | None,
    profile: Profile,
    wall: float | None,
    trace: list[str] | None = None,
) -> Iterator[Simulation]:
    for seed in seeds:
        rng = Random(seed)
        scenario = of_plan(plan, rng, profile.draw(Random(~seed)), seen or {}, durations or Durations())
        if wall is not None:
            scenario.wall = wall
        yield prepare(scenario, rng, trace=trace)


def _play(seed: int, simulation: Simulation) -> Played:
    try:
        ending = simulation.run(settle=False)
    except Broken as broken:
        faults, seconds = simulation.scenario.faults, broken.at
        return Played(
            seed=seed,
            seconds=seconds,
            worst_unavailable=simulation.invariants.worst,
            outcomes={},
            complete=False,
            stopped="",
            faults=faults,
            broken=str(broken),
        )
    return _played(seed, ending)


def _played(seed: int, ending: Ending) -> Played:
    return Played(
        seed=seed,
        seconds=ending.seconds,
        worst_unavailable=ending.worst_unavailable,
        outcomes=dict(Counter(outcome.value for outcome in ending.outcomes.values())),
        complete=all(outcome in WELL for outcome in ending.outcomes.values()),
        stopped=ending.stopped,
        faults=ending.faults,
    )


def _badness(one: Played) -> tuple[bool, int, int, float]:
    well = sum(one.outcomes.get(outcome.value, 0) for outcome in WELL)
    return bool(one.broken), one.outcomes.get("lost", 0), sum(one.outcomes.values()) - well, one.seconds
