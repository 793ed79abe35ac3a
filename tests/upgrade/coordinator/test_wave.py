"""Who is cordoned when, and who waits for whom."""

from __future__ import annotations

from coreops.upgrade.coordinator import Outcome
from coreops.upgrade.observation import Health
from coreops.upgrade.plan import Patience
from coreops.upgrade.protocol import Action, Did

from .world import World, fails, plan


def test_a_whole_wave_is_cordoned_before_its_work_is_moved():
    world = World(plan(6, members=False, max_unavailable=3, canaries=0, zones=1))
    world.run()
    said = [(do.action, do.node) for do in world.told if do.action in (Action.CORDON, Action.DRAIN)]
    assert [action for action, _ in said[:6]] == [Action.CORDON] * 3 + [Action.DRAIN] * 3
    assert {node for _, node in said[:3]} == {node for _, node in said[3:6]}
    assert set(world.coordinator.outcomes.values()) == {Outcome.DONE}


def test_a_node_that_goes_alone_is_cordoned_by_its_drain():
    world = World(plan())
    world.run()
    assert not world.order(Action.CORDON)
    assert set(world.coordinator.outcomes.values()) == {Outcome.DONE}


def test_a_wave_does_not_wait_for_one_whom_its_gate_holds_up():
    world = World(plan(3, members=False, max_unavailable=3, canaries=0, zones=1, patience=Patience(gate=60)))
    vetoed = Health(verdict="wait", reasons=("a workload vetoes",))
    world.answers["n1", Action.GATE] = lambda do: Did(do.node, do.serial, health=vetoed)
    world.run()
    drained = [do.node for do in world.told if do.action is Action.DRAIN]
    assert drained[:2] == ["n0", "n2"]
    assert world.coordinator.outcomes["n1"] is Outcome.FAILED
    assert world.coordinator.outcomes["n0"] is Outcome.DONE


def test_one_that_is_cordoned_and_waits_says_for_whom():
    world = World(plan(2, members=False, max_unavailable=2, canaries=0, zones=1))
    said = []
    world.answers["n1", Action.CORDON] = lambda do: None
    world.answers["n0", Action.DRAIN] = lambda do: (said.append(world.coordinator.why("n0")), world.well(do))[1]
    world.run()
    assert said
    assert said[0].endswith("waits until n1 can take no work either")


def test_a_cordon_that_fails_is_put_back():
    world = World(plan(2, members=False, max_unavailable=2, canaries=0, zones=1, max_failures=1))
    world.answers["n0", Action.CORDON] = fails("no manager answers")
    world.run()
    assert world.coordinator.outcomes["n0"] is Outcome.FAILED
    assert "no manager answers" in world.coordinator.why("n0")
    assert world.actions("n0")[-3:] == ["revert", "undrain", "release"]
    assert world.coordinator.outcomes["n1"] is Outcome.DONE
