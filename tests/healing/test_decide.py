"""What heal decides: case by case, and in a simulation of random failures that checks the safety rules at every act."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from coreops.healing.decide import Forget, Plan, Rejoin, Remove, decide
from coreops.healing.seen import Agent, Machine, Member
from tests.healing.world import AFTER, World, three

FAILURES = ("off", "on", "wipe", "replace", "crash", "cut", "link", "unlist", "lease", "release", "tick", "heal")


def fail(world: World, what: str, name: str) -> None:
    box = world.boxes[name]
    if what == "off":
        box.on = False
    elif what == "on":
        box.on = True
    elif what in ("wipe", "replace"):
        box.on, box.holds, box.running = True, None, False
    elif what == "crash":
        box.running = False
    elif what in ("cut", "link"):
        box.linked = what == "link"
    elif what == "unlist":
        box.listed = sum(each.listed for each in world.boxes.values()) == 1
    elif what in ("lease", "release"):
        box.leased = what == "lease"


def heal(world: World, after: float | None = AFTER, most: int = 40) -> Plan:
    for _ in range(most):
        plan = decide(world.look(), after)
        if not plan.acts:
            return plan
        world.act(plan.acts[0])
    raise AssertionError("it does not converge")


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 7), st.lists(st.tuples(st.sampled_from(FAILURES), st.integers(0, 6)), max_size=40))
def test_random_failures(size: int, failures: list[tuple[str, int]]) -> None:
    world = World(size)
    for what, number in failures:
        name = f"n{number % size + 1}"
        if what == "tick":
            world.tick()
        elif what == "heal":
            plan = decide(world.look(), AFTER if number % 2 else None)
            if plan.acts:
                world.act(plan.acts[0])
        else:
            fail(world, what, name)
    for box in world.boxes.values():
        box.linked, box.leased = True, False
    for _ in range(4):
        world.tick()
    plan = heal(world)
    if not world.serves:
        assert plan.refused or not any(box.listed for box in world.boxes.values())
        return
    if world.look().members is None:
        return  # only machines outside the inventory serve
    serving = {name for id, name in world.members.items() if world.living(id)}
    assert {name for name, box in world.boxes.items() if box.on and box.listed} <= serving
    assert set(world.members.values()) <= serving
    assert world.agents <= {name for name, box in world.boxes.items() if box.on}


DOWN = Machine(host="n3", store=True, why="no route", data=True)


def test_all_is_well() -> None:
    assert decide(three()).nothing


def test_a_wiped_member_is_replaced() -> None:
    plan = decide(three(n2=Machine(host="n2", store=True, answers=True)))
    assert plan.acts == [Rejoin(("n2",), "it lost its data, or is another machine")]
    assert not plan.waiting


def test_one_that_is_down_is_left_alone_until_it_was_silent_long_enough() -> None:
    seen = three(n3=DOWN)
    for after, silent in ((None, 9e9), (600.0, 599.0)):
        plan = decide(replace(seen, machines=(*seen.machines[:2], replace(DOWN, silent=silent))), after)
        assert not plan.acts
        (waiting,) = plan.waiting
        assert waiting.dead
        assert "remove its member from etcd" in waiting.why
    plan = decide(replace(seen, machines=(*seen.machines[:2], replace(DOWN, silent=600.0))), 600.0)
    assert plan.acts == [Remove("n3", 3, "its machine is gone")]


def test_one_that_only_the_controller_cannot_reach_is_alive() -> None:
    seen = three(n3=replace(DOWN, registered=True, silent=9e9))
    plan = decide(seen, 1.0)
    assert not plan.acts
    assert not plan.waiting[0].dead
    assert "it lives" in plan.waiting[0].why


def test_nothing_is_done_while_an_upgrade_has_a_machine_in_hand() -> None:
    wiped = Machine(host="n2", store=True, answers=True, leased="me@here")
    plan = decide(three(n2=wiped))
    assert not plan.acts
    assert "me@here has n2 in hand" in plan.waiting[0].why


def test_what_would_cost_the_quorum_is_refused() -> None:
    lost = Machine(host="n2", store=True, answers=True)
    seen = three(n2=lost, n3=DOWN)
    assert decide(seen).refused[0].what == "the member n2 cannot be removed now"
    plan = decide(replace(seen, members=None))
    assert not plan.acts
    assert "n3 cannot be reached" in plan.refused[0].why


def test_a_replacement_waits_for_the_others() -> None:
    seen = three()
    machines = (
        *seen.machines,
        Machine(host="n4", store=True, answers=True),
        replace(DOWN, host="n5"),
    )
    members = tuple(Member(id=i, name=f"n{i}", host=f"n{i}", healthy=i < 4) for i in range(1, 6))
    plan = decide(replace(seen, machines=machines, members=members))
    assert not plan.acts
    assert {each.host for each in plan.waiting} == {"n4", "n5"}
    assert "when n5 is back or given up" in plan.waiting[0].why
    plan = decide(replace(seen, machines=(*machines[:4], replace(machines[4], silent=700.0)), members=members), AFTER)
    assert [type(act) for act in plan.acts] == [Remove, Rejoin]


def test_a_stray_that_is_dead_goes_and_one_that_lives_stays() -> None:
    stray = Member(id=9, name="old")
    seen = three()
    members = (*(seen.members or ()), stray)
    assert decide(replace(seen, members=members)).acts == [
        Remove("old", 9, "it is not in the inventory and does not answer")
    ]
    assert decide(replace(seen, members=(*members[:3], replace(stray, healthy=True)))).nothing


def test_a_dead_node_of_the_scheduler_is_forgotten() -> None:
    agents = (Agent(name="x1", host="n3"), Agent(name="x2"), Agent(name="x3", host="n1", ready=True))
    seen = replace(three(n3=replace(DOWN, silent=601.0)), agents=agents, scheduler="swarm")
    assert [act for act in decide(seen, AFTER).acts if isinstance(act, Forget)] == [
        Forget("x1", "n3", "swarm", "its machine is gone"),
        Forget("x2", "", "swarm", "it is not in the inventory and is down"),
    ]
    assert [act.name for act in decide(seen).acts] == ["x2"]
    again = replace(seen, agents=(*agents, Agent(name="x4", host="n3", ready=True)))
    assert [(act.name, getattr(act, "host", "?")) for act in decide(again).acts] == [("x1", ""), ("x2", "")]
