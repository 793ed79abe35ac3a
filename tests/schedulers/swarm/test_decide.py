"""The way to the wanted swarm, over a fake engine: from bare hosts, after losses, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from coreops.errors import InputError, RefusedError
from coreops.schedulers.protocol import Cluster, Mark, Move, Settled
from coreops.schedulers.swarm import make
from coreops.schedulers.swarm.state import Sight
from tests.schedulers.swarm.driving import look, settle
from tests.schedulers.swarm.fake import CLUSTER, World
from tests.schedulers.worlds import cordon, must


def changed(cluster: Cluster = CLUSTER, **hosts: dict[str, Any]) -> Cluster:
    """Other hosts, by name."""
    return replace(cluster, hosts=tuple(replace(host, **hosts.get(host.name, {})) for host in cluster.hosts))


def decided(world: World) -> Move | Settled:
    return world.scheduler.decide(look(world))


def test_from_bare_hosts() -> None:
    world = World()
    said = settle(world)
    assert said == [
        "start Docker on n1, n2, n3, n4, n5",
        "begin the swarm on n1",
        "let n2, n3, n4, n5 join the swarm",
        "label n1, n2, n3, n4, n5",
    ]
    assert decided(world) == Settled()
    assert world.entry("n4")["Spec"] == {
        "Role": "worker",
        "Availability": "active",
        "Labels": {"coreops.host": "n4", "coreops.labels": "disk zone", "disk": "ssd", "zone": "z1"},
    }


@given(st.integers(0, 40))
@hypothesis_settings(max_examples=12, deadline=None)
def test_broken_off_anywhere_it_is_begun_again(steps: int) -> None:
    world, done = World(), 0

    class Died(Exception):
        pass

    run = world.run

    def dying(host: str, step: Any) -> Any:
        nonlocal done
        done += 1
        if done > steps:
            raise Died
        return run(host, step)

    world.run = dying  # type: ignore[method-assign]
    try:
        settle(world)
    except Died:
        world.run = run  # type: ignore[method-assign]
        settle(world)
    assert len({engine.swarm.id for engine in world.engines.values() if engine.swarm}) == 1
    assert len(world.swarm.nodes) == 5


def test_running_engines_with_old_settings_are_restarted_before_they_join() -> None:
    world = World()
    for engine in world.engines.values():
        engine.state, engine.stale = "active", True
    assert settle(world)[0] == "restart Docker on n1, n2, n3, n4, n5 with its new settings"


def test_new_settings_restart_one_engine_after_the_other_the_leader_last() -> None:
    world = World().boot()
    for engine in world.engines.values():
        engine.stale, engine.starts = True, 0
        world.start(engine.name)
    said = settle(world)
    order = [title.split()[3] for title in said if title.startswith("restart")]
    assert sorted(order) == ["n1", "n2", "n3", "n4", "n5"]
    assert order[-1] == "n1", "it led"
    assert all(engine.starts == 1 for engine in world.engines.values())
    for name in order:
        at = said.index(f"restart Docker on {name} with its new settings")
        assert said[at - 1 : at + 2 : 2] == [f"drain {name}, to restart its Docker", f"uncordon {name}"]
    assert all(world.open(name) for name in CLUSTER.names)


def test_a_restart_leaves_an_operators_cordon_as_it_was() -> None:
    world = World().boot()
    cordon(world, "n4", Mark(by="operator"))
    world.engines["n4"].stale = True
    settle(world)
    assert world.entry("n4")["Spec"]["Availability"] == "pause"
    assert world.entry("n4")["Spec"]["Labels"]["coreops.cordon"] == "operator:active"
    assert "coreops.drain" not in world.entry("n4")["Spec"]["Labels"]


def test_an_engine_with_tasks_is_not_restarted_even_if_a_run_ended_after_the_drain_began() -> None:
    world = World().boot()
    world.engines["n4"].stale = True
    world.start("n4", stubborn=True)
    world.entry("n4")["Spec"]["Labels"]["coreops.drain"] = "restart:active"
    world.entry("n4")["Spec"]["Availability"] = "drain"
    step = decided(world)
    assert isinstance(step, Move)
    assert step.title == "drain n4, to restart its Docker"


REVIVED = "restart Docker on {}: it is in the swarm, which calls it down all the same"


@pytest.mark.parametrize("host", ["n3", "n4"])
def test_an_engine_that_is_called_down_though_it_is_heard_is_restarted_with_a_gap(host: str) -> None:
    world = World().boot()
    world.stick(host, down=21)
    assert settle(world) == [REVIVED.format(host)]
    (step,) = (step for step in world.steps if step.id == "swarm-engine")
    assert step.env == {"VERB": "revive", "GAP": "17.5"}
    assert step.timeout > 240


def test_one_that_is_stuck_after_its_restart_takes_work_again() -> None:
    world = World().boot()
    world.entry("n4")["Spec"]["Labels"]["coreops.drain"] = "restart:active"
    world.entry("n4")["Spec"]["Availability"] = "drain"
    world.stick("n4", down=2, age=4)
    step = decided(world)
    assert isinstance(step, Move)
    assert (step.title, step.talks) == ("wait for n4 to be ready", {})
    world.clock += 20
    world.engines["n4"].age += 20
    assert settle(world) == [REVIVED.format("n4"), "uncordon n4"]


@pytest.mark.parametrize(
    ("down", "age", "period", "why"),
    [
        (19, 3600, 5, "it may be about to register anew"),
        (30, 29, 5, "it was restarted since, and that did not help"),
        (60, 3600, 30, "its next heartbeat may be that far away"),
    ],
)
def test_a_node_that_is_down_for_other_reasons_is_waited_for(down: int, age: int, period: int, why: str) -> None:
    world = World().boot()
    world.swarm.spec["Dispatcher"] = {"HeartbeatPeriod": period * 10**9}
    world.stick("n4", down=down, age=age)
    step = decided(world)
    assert isinstance(step, Move)
    assert (step.title, step.talks) == ("wait for n4 to be ready", {}), why


def test_a_manager_is_not_restarted_while_another_is_away() -> None:
    world = World().boot()
    world.stick("n3", down=100)
    world.entry("n2")["ManagerStatus"]["Reachability"] = "unreachable"
    step = decided(world)
    assert isinstance(step, Move)
    assert step.talks == {}


@pytest.mark.parametrize("host", ["n1", "n3", "n4"])
def test_a_wiped_host_joins_again_and_its_old_entry_goes(host: str) -> None:
    world = World().boot()
    world.wipe(host)
    said = settle(world)
    assert said[0] == f"forget what {host} was before it lost its place"
    assert f"let {host} join the swarm" in said
    assert sorted(node["Spec"]["Labels"]["coreops.host"] for node in world.swarm.nodes.values()) == [*CLUSTER.names]


def test_a_wiped_host_waits_until_the_swarm_has_noticed() -> None:
    world = World().boot()
    old = world.entry("n4")
    world.wipe("n4")
    old["Status"]["State"] = "ready"
    step = decided(world)
    assert isinstance(step, Move)
    assert (step.title, step.talks) == ("wait for the swarm to notice that n4 has lost its place", {})


def test_a_host_that_the_swarm_has_forgotten_leaves_and_joins() -> None:
    world = World().boot()
    del world.swarm.nodes[world.engines["n4"].node]
    assert settle(world)[:2] == ["let n4 leave a swarm that has forgotten it", "let n4 join the swarm"]


@pytest.mark.parametrize("local", ["pending", "active"])
def test_a_manager_that_the_swarm_has_forgotten_leaves_though_it_still_takes_itself_for_one(local: str) -> None:
    world = World().boot()
    del world.swarm.nodes[world.engines["n3"].node]
    seen = look(world)
    sight = seen["n3"]
    assert isinstance(sight, Sight)
    seen["n3"] = replace(sight, local=local, control=True, entries=None, swarm=None)
    step = world.scheduler.decide(seen)
    assert isinstance(step, Move)
    assert (step.title, list(step.talks)) == ("let n3 leave a swarm that has forgotten it", ["n3"])


def test_a_node_that_is_just_being_let_in_is_waited_for() -> None:
    world = World().boot()
    del world.swarm.nodes[world.engines["n4"].node]
    world.engines["n4"].local = "pending"
    step = decided(world)
    assert isinstance(step, Move)
    assert (step.title, step.talks) == ("wait for n4 to be let in", {})


def test_roles_follow_the_inventory_up_before_down_and_one_at_a_time() -> None:
    world = World().boot()
    world.scheduler = make(
        changed(n1={"role": "worker"}, n2={"role": "worker"}, n4={"role": "manager"}, n5={"role": "manager"})
    )
    assert settle(world) == ["make n4 a manager, make n5 a manager", "make n1 a worker", "make n2 a worker"]


def test_labels_follow_the_inventory_and_foreign_ones_stay() -> None:
    world = World().boot()
    world.entry("n4")["Spec"]["Labels"]["theirs"] = "kept"
    world.scheduler = make(changed(n4={"labels": {"zone": "z9"}, "zone": "z9"}))
    assert settle(world) == ["label n4"]
    assert world.entry("n4")["Spec"]["Labels"] == {
        "coreops.host": "n4",
        "coreops.labels": "zone",
        "zone": "z9",
        "theirs": "kept",
    }


def test_what_holds_for_the_swarm_is_set_and_left_alone_where_the_inventory_says_nothing() -> None:
    options = {"swarm_task_history": 2, "swarm_cert_expiry": 3600 * 10**9, "swarm_ca_rotation": 1}
    world = World().boot()
    world.swarm.spec["Raft"] = {"SnapshotInterval": 7}
    world.scheduler = make(changed(**{name: {"settings": options} for name in CLUSTER.names}))
    assert settle(world) == ["set what holds for the whole swarm"]
    spec = world.swarm.spec
    assert spec["Orchestration"]["TaskHistoryRetentionLimit"] == 2
    assert spec["CAConfig"] == {"NodeCertExpiry": 3600 * 10**9, "ForceRotate": 1}
    assert spec["Raft"] == {"SnapshotInterval": 7}
    world.scheduler = make(CLUSTER)
    assert decided(world) == Settled()


def test_strays_are_told() -> None:
    world = World().boot()
    world.scheduler = make(replace(CLUSTER, hosts=CLUSTER.hosts[:4]))
    assert decided(world) == Settled(strays=("n5",))


def _foreign(world: World) -> None:
    other = World().boot()
    world.engines["n4"] = other.engines["n4"]


def _two(world: World) -> None:
    other = World().boot()
    world.engines["n3"] = other.engines["n3"]


def _absent(world: World) -> None:
    world.engines["n5"].state = "absent"


def _locked(world: World) -> None:
    world.engines["n2"].local = "locked"


def _unlabelled(world: World) -> None:
    world.swarm.spec["Labels"] = {}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_foreign, "the hosts are in different swarms"),
        (_two, "the hosts are in different swarms"),
        (_absent, "there is no Docker engine"),
        (_locked, "the swarm is locked"),
        (_unlabelled, "a swarm that coreops has not made"),
    ],
)
def test_refused_before_anything_is_touched(spoil: Callable[[World], None], words: str) -> None:
    world = World().boot()
    spoil(world)
    seen = look(world)
    world.log.clear()
    with pytest.raises(RefusedError, match=words) as caught:
        world.scheduler.decide(seen)
    assert caught.value.next
    assert caught.value.where
    assert world.log == []


def test_a_stopped_engine_of_another_swarm_is_refused_too() -> None:
    world = World().boot()
    _foreign(world)
    world.engines["n4"].state = "inactive"
    with pytest.raises(RefusedError, match="the hosts are in different swarms"):
        decided(world)


def test_after_a_power_cut_everywhere_the_engines_are_started_and_the_swarm_is_the_same() -> None:
    world = World().boot()
    before = world.swarm.id
    for engine in world.engines.values():
        engine.state = "inactive"
    assert settle(world) == ["start Docker on n1, n2, n3, n4, n5"]
    assert world.swarm.id == before


@pytest.mark.parametrize("name", ["n1", "n4"])
def test_a_foreign_swarm_is_refused_while_there_is_none_of_ours(name: str) -> None:
    world, other = World(), World()
    settle(other)
    other.swarm.spec["Labels"] = {}
    world.engines[name] = other.engines[name]
    with pytest.raises(RefusedError, match="its engine is in a swarm that") as caught:
        decided(world)
    assert caught.value.where == name


def test_a_swarm_can_be_taken_over() -> None:
    world = World().boot()
    world.swarm.spec["Labels"] = {}
    world.scheduler = make(changed(**{name: {"settings": {"swarm_adopt": True}} for name in CLUSTER.names}))
    assert settle(world) == ["set what holds for the whole swarm"]
    assert world.swarm.spec["Labels"] == {"coreops.swarm": "1"}


def test_what_a_swarm_keeps_for_its_life_cannot_be_changed() -> None:
    world = World().boot()
    pool = {"swarm_default_addr_pool": ("10.20.0.0/16",)}
    world.scheduler = make(changed(**{name: {"settings": pool} for name in CLUSTER.names}))
    with pytest.raises(RefusedError, match=r"cannot be changed to 10\.20\.0\.0/16"):
        decided(world)


def test_a_swarm_without_a_leader_is_waited_for() -> None:
    world = World().boot()
    seen = {
        name: replace(sight, entries=None, swarm=None)  # type: ignore[type-var]
        for name, sight in look(world).items()
    }
    step = world.scheduler.decide(seen)
    assert isinstance(step, Move)
    assert step.title.startswith("wait for the swarm's managers to agree on a leader")


def test_a_part_of_the_hosts_does_not_begin_a_swarm() -> None:
    world = World()
    for engine in world.engines.values():
        engine.state = "active"
    seen = look(world)
    del seen["n2"]
    with pytest.raises(RefusedError, match="not begun"):
        world.scheduler.decide(seen)


@pytest.mark.parametrize(
    ("cluster", "words"),
    [
        (changed(n4={"role": "manager"}), "a swarm with 4 managers is refused"),
        (changed(n2={"role": "worker"}), "a swarm with 2 managers is refused"),
        (changed(n1={"role": "worker"}, n2={"role": "worker"}, n3={"role": "worker"}), "the swarm has no manager"),
        (changed(n2={"address": "n2.example"}), "n2 has no address that a swarm can use"),
        (changed(n2={"settings": {"swarm_advertise_address": "10.0.0.1"}}), "n1 and n2 have one address"),
        (
            changed(n2={"settings": {"swarm_task_history": 1}}, n3={"settings": {"swarm_task_history": 2}}),
            "is 1 for n2",
        ),
    ],
)
def test_what_can_be_seen_without_a_node(cluster: Cluster, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        make(replace(cluster, origin=lambda host, variable: f"hosts.yml:1 {host} {variable}"))
    assert str(caught.value.where).startswith("hosts.yml:1 n")


def test_tokens_are_rotated_and_never_told() -> None:
    world = World().boot()
    before = list(world.secrets())
    said = must(world, ("n2",), world.scheduler.rotate)
    assert not set(before) & set(world.secrets())
    assert len(said) == 2
    assert not any(token in text for token in (*before, *world.secrets()) for text in said)
    assert all(step.secret for step in world.steps if "/swarm" in step.env.get("PATHS", "").split("\n"))
    assert not any(token in repr(look(world)) for token in world.secrets())
