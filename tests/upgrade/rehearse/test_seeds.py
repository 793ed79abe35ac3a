"""Seeds: the same one is the same history everywhere, most end well, and every fault can be injected."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from coreops.upgrade.coordinator.outcome import WELL
from coreops.upgrade.rehearse.faults import FAULTS, Profile
from coreops.upgrade.rehearse.seeds import attempt, first_broken

CODE = """
from coreops.upgrade.rehearse.seeds import attempt
for seed in range(12):
    trace = []
    attempt(seed, trace=trace)
    print(*trace, sep="\\n")
"""


def run(hash_seed: str) -> str:
    env = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, env=env)
    return done.stdout


def test_a_seed_is_the_same_history_in_every_process():
    one = run("1")
    assert one.count("\n") > 500
    assert one == run("2")


@pytest.mark.slow
def test_no_invariant_breaks():
    broken = first_broken(range(60))  # scripts/test simulates thousands more
    assert broken is None, f"scripts/simulate --seed {broken.seed} --trace: {broken.broken}"


@pytest.mark.slow
def test_without_faults_a_good_release_reaches_every_node():
    quiet = Profile((), (0,))
    endings = [tried.ending for tried in (attempt(seed, profile=quiet) for seed in range(120)) if tried.ending]
    complete = sum(all(outcome in WELL for outcome in ending.outcomes.values()) for ending in endings)
    assert complete > len(endings) / 2


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_alone(name):
    broken = first_broken(range(12), profile=Profile((name,), (1,)))
    assert broken is None, f"scripts/simulate --seed {broken.seed} --fault {name!r} --trace: {broken.broken}"


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_makes_a_difference(name):
    """An injector that changes nothing would prove nothing."""
    for seed in range(200):
        with_it: list[str] = []
        without: list[str] = []
        attempt(seed, profile=Profile((name,), (1,)), trace=with_it)
        attempt(seed, profile=Profile((), (0,)), trace=without)
        if with_it != without:
            return
    pytest.fail(f"{name} changes nothing")
