"""The checker is checked: without any one of its safety rules the coordinator breaks the matching invariant."""

from __future__ import annotations

import pytest

from coreops.upgrade.rehearse.faults import HARSH, Profile
from coreops.upgrade.rehearse.seeds import attempt, first_broken
from tests.upgrade.rehearse.mutants import MUTANTS, Mutant

pytestmark = pytest.mark.slow

SEEDS = range(1000)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_the_simulator_misses_every_rule(mutant: Mutant) -> None:
    profile = Profile(mutant.faults, (len(mutant.faults),)) if mutant.faults else HARSH
    found = set()
    for seed in SEEDS:
        broken = attempt(seed, profile=profile, make=mutant.make).broken
        if broken:
            found.add(broken.invariant)
            if broken.invariant in mutant.breaks:
                return
    pytest.fail(f"none of {set(mutant.breaks)} broke, but {found or 'nothing'}")


def test_the_whole_coordinator_breaks_nothing() -> None:
    assert first_broken(range(40)) is None


def test_there_are_mutants_of_every_invariant() -> None:
    broken = {name.split()[0] for mutant in MUTANTS for name in mutant.breaks}
    assert {f"I{n}" for n in range(1, 10)} <= broken
