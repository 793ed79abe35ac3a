"""Rehearsals of an operator's own plan, and their picture."""

from __future__ import annotations

import json

import pytest

from coreops.upgrade.observation import Observation
from coreops.upgrade.plan import NodePlan, Plan, Policy
from coreops.upgrade.rehearse import enlarge, picture, rehearse, replay
from coreops.upgrade.rehearse.faults import Profile
from coreops.upgrade.rehearse.picture import bar, clock
from coreops.upgrade.rehearse.rehearsal import quantile

QUIET = Profile((), (0,))


def plan(nodes: int = 4, **policy: object) -> Plan:
    names = tuple(NodePlan(name=f"web-{i}", member=i > 0, canary=i == 0) for i in range(nodes))
    return Plan(run="r", version="2.0.0", sha256="abc", nodes=names, policy=Policy(**policy))  # type: ignore[arg-type]


def test_it_plays_as_often_as_asked_and_breaks_nothing():
    rehearsal = rehearse(plan(), runs=30, seed=5)
    assert [one.seed for one in rehearsal.played] == list(range(5, 35))
    assert not rehearsal.broken
    assert rehearsal.worst_unavailable == 1
    assert 0 < rehearsal.complete <= 30


def test_the_same_seeds_give_the_same_rehearsal():
    assert rehearse(plan(), runs=5) == rehearse(plan(), runs=5)


def test_the_worst_seed_can_be_replayed():
    rehearsal = rehearse(plan(), runs=20)
    lines = replay(plan(), rehearsal.worst.seed)
    assert any("lease @rollout" in line for line in lines)
    assert lines == replay(plan(), rehearsal.worst.seed)


def test_nodes_begin_as_they_were_seen():
    there = Observation(
        machine_id="m", boot_id="b", version="2.0.0", board="amd64-usr", slot="B", passive="A", good=True, next="B"
    )
    rehearsal = rehearse(plan(), runs=1, profile=QUIET, seen={"web-2": there})
    assert rehearsal.outcomes["current"] == 1


@pytest.mark.parametrize("nodes", [1, 3, 4, 5, 50])
def test_a_plan_can_be_of_any_size(nodes):
    larger = enlarge(plan(), nodes)
    assert len({node.name for node in larger.nodes}) == nodes
    assert sum(node.member for node in larger.nodes) == min(3, nodes)
    assert not rehearse(larger, runs=2, profile=QUIET).broken


def test_machines_can_read_it():
    data = json.loads(json.dumps(rehearse(plan(), runs=3).as_dict()))
    assert data["runs"] == 3
    assert set(data["seconds"]) <= {"fastest", "median", "p95", "slowest"}


@pytest.mark.parametrize("width", [1, 40, 80, 200])
def test_the_picture_fits(width):
    text = picture(rehearse(plan(), runs=10), width)
    longest = max(len(line) for line in text.splitlines() if "█" in line)
    assert longest <= max(40, width)
    assert "Worst seed" in text


def test_a_picture_of_one_run():
    assert "1 rollout of 4 nodes" in picture(rehearse(plan(), runs=1, profile=QUIET))


def test_bars_are_exact_to_an_eighth_and_never_vanish():
    assert bar(1.0, 4) == "████"
    assert bar(0.5, 1) == "▌"
    assert bar(0.0001, 4) == "▏"
    assert bar(0.0, 4) == ""


def test_clocks_and_quantiles():
    assert [clock(0), clock(95), clock(3700)] == ["0:00", "1:35", "1:01:40"]
    assert [quantile([1.0, 2.0, 3.0], part) for part in (0.0, 0.5, 1.0)] == [1.0, 2.0, 3.0]
