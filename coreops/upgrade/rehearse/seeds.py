"""From a seed to a history, and many of them. The one place where a seed becomes a scenario."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from coreops.upgrade.coordinator import Coordinator
from coreops.upgrade.rehearse.controller import Make
from coreops.upgrade.rehearse.faults import FAULTS, HARSH, Profile
from coreops.upgrade.rehearse.invariants import Broken
from coreops.upgrade.rehearse.scenario import Scenario, draw
from coreops.upgrade.rehearse.simulation import Ending, Simulation


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a seed: its ending, or the invariant that broke."""

    seed: int
    ending: Ending | None
    broken: Broken | None


def prepare(scenario: Scenario, rng: Random, make: Make = Coordinator, trace: list[str] | None = None) -> Simulation:
    """A simulation with its faults injected."""
    simulation = Simulation(scenario, rng, make, trace)
    for name in scenario.faults:
        FAULTS[name].inject(simulation)
    return simulation


def simulation(
    seed: int,
    *,
    nodes: int | None = None,
    profile: Profile = HARSH,
    make: Make = Coordinator,
    trace: list[str] | None = None,
) -> Simulation:
    """The history of this seed, ready to run. The same seed is the same history, in every process; and the same
    cluster and release whatever the profile, so that a fault can be taken away from a history.
    """
    rng = Random(seed)
    return prepare(draw(rng, profile.draw(Random(~seed)), nodes), rng, make, trace)


def attempt(
    seed: int,
    *,
    nodes: int | None = None,
    profile: Profile = HARSH,
    make: Make = Coordinator,
    trace: list[str] | None = None,
) -> Tried:
    """Run one seed."""
    try:
        return Tried(seed, simulation(seed, nodes=nodes, profile=profile, make=make, trace=trace).run(), None)
    except Broken as broken:
        return Tried(seed, None, broken)


def first_broken(
    seeds: Iterable[int], *, nodes: int | None = None, profile: Profile = HARSH, make: Make = Coordinator
) -> Tried | None:
    """The first of these seeds that breaks an invariant."""
    tried = (attempt(seed, nodes=nodes, profile=profile, make=make) for seed in seeds)
    return next((one for one in tried if one.broken), None)
