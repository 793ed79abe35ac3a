"""scripts/simulate, as CI and people run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def simulate(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "simulate.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_many_seeds(jobs):
    done = simulate("--seeds", "30", "--jobs", jobs)
    assert done.returncode == 0, done.stderr
    assert "seeds/s" in done.stdout
    assert "every invariant held" in done.stdout


def test_one_seed_as_text():
    done = simulate("--seed", "3", "--nodes", "4", "--fault", "power cut", "--trace")
    assert done.returncode == 0, done.stderr
    assert "power cut" in done.stdout
    assert "run run-1: lease @rollout" in done.stdout


def test_an_unknown_fault_is_named():
    done = simulate("--fault", "gremlins")
    assert done.returncode == 2
    assert "gremlins" in done.stderr


def test_the_wrapper_is_a_script():
    assert (ROOT / "scripts" / "simulate").read_text().startswith("#!/bin/sh\n")
