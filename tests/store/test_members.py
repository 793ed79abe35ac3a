from __future__ import annotations

import pytest
from etcd_simulator import Cluster, Machine, firsts, member, run
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coreops.store import members as m
from coreops.store import quorum

THREE = [member(n) for n in (1, 2, 3)]
FIVE = [member(n) for n in (1, 2, 3, 4, 5)]


def formed(wanted: list[m.Member] = THREE) -> Cluster:
    cluster = Cluster()
    assert run(cluster, wanted) == m.Done()
    cluster.log.clear()
    return cluster


def kinds(cluster: Cluster) -> list[str]:
    return [type(action).__name__ for action in cluster.log]


def test_a_new_cluster_starts_all_members_at_once() -> None:
    cluster = Cluster()
    assert run(cluster, THREE) == m.Done()
    assert cluster.log == [m.Form(("n1", "n2", "n3"))]


def test_a_second_run_does_nothing() -> None:
    cluster = formed()
    assert run(cluster, THREE) == m.Done()
    assert cluster.log == []


def test_a_formation_that_was_cut_off_continues() -> None:
    cluster = Cluster()
    run(cluster, THREE, some=1, limit=1)
    assert run(cluster, THREE) == m.Done()
    assert cluster.log == [m.Form(("n1", "n2", "n3")), m.Form(("n2", "n3"))]
    assert cluster.formations == 1


def test_a_formation_with_a_mistake_is_formed_anew_without_its_data() -> None:
    cluster = Cluster()
    run(cluster, [member(1), member(2), member(9)], some=2, limit=1)
    assert run(cluster, THREE) == m.Done()
    assert cluster.log[-1] == m.Form(("n1", "n2", "n3"), reset=("n1", "n2"))


def test_stopped_members_are_started_all_at_once() -> None:
    cluster = formed()
    for machine in cluster.machines.values():
        machine.active = False
    assert run(cluster, THREE) == m.Done()
    assert cluster.log == [m.Start(("n1", "n2", "n3"))]


def test_growing_joins_one_learner_after_the_other() -> None:
    cluster = formed()
    assert run(cluster, FIVE) == m.Done()
    assert kinds(cluster) == ["AddLearner", "StartLearner", "Promote"] * 2


def test_growing_from_one() -> None:
    cluster = formed([member(1)])
    assert run(cluster, THREE) == m.Done()
    assert len(cluster.voters()) == 3


def test_a_wiped_member_is_removed_and_joins_again_as_a_learner() -> None:
    cluster = formed()
    cluster.machines["n2"].data, cluster.machines["n2"].active = None, False
    assert run(cluster, THREE) == m.Done()
    assert kinds(cluster) == ["RemoveMember", "Reset", "AddLearner", "StartLearner", "Promote"]


def test_a_reinstalled_machine_is_a_wiped_member() -> None:
    cluster = formed()
    cluster.machines["n2"] = Machine()
    assert run(cluster, THREE) == m.Done()
    assert kinds(cluster) == ["RemoveMember", "AddLearner", "StartLearner", "Promote"]


def test_lost_quorum_is_never_formed_over() -> None:
    cluster = formed()
    for name in ("n1", "n2"):
        cluster.machines[name].data, cluster.machines[name].active = None, False
    last = run(cluster, THREE)
    assert isinstance(last, m.Refuse)
    assert "quorum is lost: 1 of 3" in last.what
    assert cluster.log == []


def test_a_single_member_that_lost_its_data_is_not_formed_anew() -> None:
    cluster = formed([member(1)])
    cluster.machines["n1"].data, cluster.machines["n1"].active = None, False
    assert isinstance(run(cluster, [member(1)]), m.Refuse)


def test_strays_are_reported_and_kept() -> None:
    cluster = formed(FIVE)
    last = run(cluster, THREE)
    assert isinstance(last, m.Done)
    assert [entry.name for entry in last.strays] == ["n4", "n5"]
    assert cluster.log == []


def test_prune_removes_strays_even_the_leader() -> None:
    cluster = formed(FIVE)
    cluster.leader = 5
    assert run(cluster, THREE, prune=True) == m.Done()
    assert kinds(cluster) == ["RemoveMember", "MoveLeader", "RemoveMember"]


def test_pruning_to_one_works_while_the_strays_answer() -> None:
    cluster = formed()
    assert run(cluster, [member(1)], prune=True) == m.Done()
    assert cluster.voters() == {1}


def test_replacing_a_dead_machine_prunes_before_it_joins() -> None:
    cluster = formed()
    cluster.machines["n3"] = Machine()
    wanted = [member(1), member(2), member(4)]
    refused = run(cluster, wanted)
    assert isinstance(refused, m.Refuse)
    assert "--prune" in refused.next
    assert run(cluster, wanted, prune=True) == m.Done()
    assert kinds(cluster) == ["RemoveMember", "AddLearner", "StartLearner", "Promote"]


def test_new_settings_roll_one_by_one_leader_last() -> None:
    cluster = formed()
    cluster.leader = 1
    for machine in cluster.machines.values():
        machine.stale = True
    assert run(cluster, THREE) == m.Done()
    assert cluster.log == [m.Restart("n2"), m.Restart("n3"), m.MoveLeader(2, "n2", "n1"), m.Restart("n1")]


def test_a_single_member_is_restarted_without_further_ado() -> None:
    cluster = formed([member(1)])
    cluster.machines["n1"].stale = True
    assert run(cluster, [member(1)]) == m.Done()
    assert cluster.log == [m.Restart("n1")]


def test_no_restart_while_a_stray_is_down() -> None:
    cluster = formed([*FIVE])
    cluster.machines["n4"].active = cluster.machines["n5"].active = False
    cluster.machines["n1"].stale = True
    assert isinstance(run(cluster, THREE), m.Refuse)
    assert run(cluster, THREE, prune=True) == m.Done()


def test_a_changed_address_is_refused() -> None:
    cluster = formed()
    moved = [member(1), member(2), m.Member("n3", "10.0.0.33")]
    last = run(cluster, moved)
    assert isinstance(last, m.Refuse)
    assert "10.0.0.33" in last.why


def test_a_removed_member_that_comes_back_starts_empty() -> None:
    cluster = formed(FIVE)
    run(cluster, THREE, prune=True)
    cluster.log.clear()
    assert run(cluster, FIVE) == m.Done()
    assert kinds(cluster)[:2] == ["Reset", "AddLearner"]


faults = st.sampled_from(["wipe", "stop", "reinstall", "stale", "grow", "shrink", "restart-all", "leader"])


@settings(max_examples=80, deadline=None)
@example([("grow", 0, 1, 3), ("wipe", 0, 3, 1), ("shrink", 0, 0, 1), ("restart-all", 0, 0, 1)])
@given(st.lists(st.tuples(faults, st.integers(0, 6), st.integers(0, 4), st.integers(1, 3)), max_size=8))
def test_any_history_converges_and_no_action_costs_the_quorum(history: list[tuple[str, int, int, int]]) -> None:
    """The simulator asserts the rules at every action; runs are cut off after a few actions or on a few hosts."""
    cluster, wanted, prune = Cluster(), THREE, False
    for fault, who, steps, some in history:
        run(cluster, wanted, prune=prune, limit=steps, some=some)
        cluster.settle()
        x = cluster.machines.setdefault(wanted[who % len(wanted)].name, Machine())
        spare = quorum.has_quorum(cluster.voters(), cluster.up() - {x.data})
        if fault in ("wipe", "reinstall") and (spare or not x.formed):
            x.data, x.active, x.formed = None, False, x.formed and fault == "wipe"
            if fault == "reinstall":
                x.first = ""
        elif fault == "stop":
            x.active = False
        elif fault == "stale":
            for machine in cluster.machines.values():
                machine.stale = True
        elif fault == "grow" and cluster.entries:
            wanted = FIVE
        elif fault == "shrink" and cluster.entries:
            wanted, prune = THREE, True
        elif fault == "restart-all":
            for machine in cluster.machines.values():
                machine.active = machine.active and machine.data is None
        elif fault == "leader" and cluster.leader is not None:
            cluster.leader = sorted(cluster.up() & cluster.voters())[who % len(cluster.up() & cluster.voters())]
    last = run(cluster, wanted, prune=prune)
    if not isinstance(last, m.Done | m.Refuse):
        # Members that the inventory has no more are down, and without them there is no quorum: nobody here starts them.
        kept = {cluster.machines[item.name].data for item in wanted if item.name in cluster.machines}
        assert last == m.Wait("quorum", last.hosts), cluster.log
        assert not quorum.has_quorum(cluster.voters(), kept - {None}), cluster.log
    assert cluster.formations <= 1
    if isinstance(last, m.Done):
        assert {entry.name for entry in cluster.entries} >= {item.name for item in wanted}
        assert not any(entry.learner for entry in cluster.entries)


def test_the_plan_is_pure() -> None:
    cluster = formed()
    nodes = cluster.observe(THREE)
    assert m.plan(THREE, nodes, firsts(THREE)) == m.plan(THREE, nodes, firsts(THREE))


def test_an_unhealthy_member_with_new_settings_is_restarted_first() -> None:
    cluster = formed()
    nodes = cluster.observe(THREE)
    import dataclasses

    nodes["n1"] = dataclasses.replace(nodes["n1"], stale=True)
    nodes["n3"] = dataclasses.replace(nodes["n3"], healthy=False, stale=True)
    assert m.plan(THREE, nodes, firsts(THREE)) == m.Restart("n3")
    nodes["n3"] = dataclasses.replace(nodes["n3"], stale=False)
    assert m.plan(THREE, nodes, firsts(THREE)) == m.Wait("members to become healthy", ("n3",))


@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_every_size_forms(size: int) -> None:
    assert run(Cluster(), [member(n) for n in range(1, size + 1)]) == m.Done()
