"""What the coordinator asks for, in which order, and what it makes of the answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from coreops.upgrade.coordinator import Outcome
from coreops.upgrade.observation import Health, Ticket
from coreops.upgrade.plan import Patience
from coreops.upgrade.protocol import ROLLOUT, Action, Did, LeaseLost, Stop
from coreops.upgrade.window import Window
from tests.upgrade.coordinator.world import NEW, OLD, SHA, World, fails, plan

TURN = ["lease", "gate", "drain", "gate", "activate", "reboot", "survey", "check", "mark_good", "undrain", "release"]


def test_every_node_is_upgraded_one_after_the_other_and_the_leader_last():
    world = World(plan(), leader="n2").run()
    assert set(world.coordinator.outcomes.values()) == {Outcome.DONE}
    assert world.coordinator.exit_code == 0
    assert world.actions("n1") == ["survey", "stage", *TURN]
    assert world.order(Action.DRAIN) == ["n0", "n1", "n2"]
    assert world.told[-1].node == ROLLOUT
    assert world.told[-1].action is Action.RELEASE


def test_a_second_run_only_looks():
    world = World(plan())
    for name in world.nodes:
        world.change(name, version=NEW)
    world.run()
    assert set(world.coordinator.outcomes.values()) == {Outcome.CURRENT}
    assert {do.action for do in world.told} == {Action.LEASE, Action.SURVEY, Action.RELEASE}


def test_the_leader_hands_over_to_a_member_that_is_done_before_it_goes():
    world = World(plan(), leader="n1").run()
    moves = [do for do in world.told if do.action is Action.MOVE_LEADER]
    assert [(do.node, do.detail) for do in moves] == [("n1", "n0")]
    assert world.order(Action.REBOOT) == ["n0", "n2", "n1"]


def test_staging_runs_ahead_on_all_nodes():
    world = World(plan(6)).run()
    said = [do.action for do in world.told]
    assert said.index(Action.DRAIN) > max(i for i, action in enumerate(said) if action is Action.STAGE)


def test_with_room_for_more_the_nodes_of_one_zone_go_together():
    world = World(plan(7, members=False, zones=2, max_unavailable=3)).run()
    down: set[str] = set()
    most = 0
    for do in world.told:
        if do.action is Action.DRAIN:
            down.add(do.node)
        if do.action is Action.RELEASE:
            down.discard(do.node)
        most = max(most, len(down))
        assert len({int(name[1:]) % 2 for name in down}) <= 1
    assert most == 3
    assert set(world.coordinator.outcomes.values()) == {Outcome.DONE}


@pytest.mark.parametrize("action", [Action.GATE, Action.DRAIN, Action.ACTIVATE])
def test_what_fails_before_the_reboot_is_put_back(action):
    world = World(plan(patience=Patience(gate=10)))
    world.answers["n0", action] = fails("because")
    world.run()
    assert world.coordinator.outcomes == {
        "n0": Outcome.FAILED, "n1": Outcome.NOT_REACHED, "n2": Outcome.NOT_REACHED
    }  # fmt: skip
    assert "because" in world.coordinator.why("n0")
    assert "because" in world.coordinator.why("n1")
    assert not world.order(Action.REBOOT)
    back = world.actions("n0")[-3:] if action is not Action.GATE else ["revert", "undrain", "release"]
    assert back == ["revert", "undrain", "release"]
    assert not world.nodes["n0"].drained
    assert world.coordinator.exit_code == 1


def test_a_slot_that_does_not_come_up_is_denied_and_the_rest_is_spared():
    world = World(plan())
    world.answers["n0", Action.REBOOT] = lambda do: (world.reboot("n0", "USR-A"), Did(do.node, do.serial))[1]
    world.run()
    assert world.coordinator.outcomes["n0"] is Outcome.ROLLED_BACK
    assert world.coordinator.outcomes["n1"] is Outcome.NOT_REACHED
    assert [do.detail for do in world.told if do.action is Action.DENY] == [NEW]
    assert world.actions("n0")[-5:] == ["deny", "check", "revert", "undrain", "release"]


def test_a_slot_that_fails_its_check_is_left_for_the_old_one():
    world = World(plan(patience=Patience(health=20)))
    new = Health(verdict="bad", reasons=("etcd does not start",))

    def check(do):
        on_new = world.nodes["n0"].slot == "USR-B"
        return Did(do.node, do.serial, health=new) if on_new else world.well(do)

    world.answers["n0", Action.CHECK] = check
    world.run()
    assert world.coordinator.outcomes["n0"] is Outcome.ROLLED_BACK
    assert world.nodes["n0"].slot == "USR-A"
    assert world.order(Action.REBOOT) == ["n0", "n0"]
    assert "etcd does not start" in world.coordinator.situation.failed["n0"]


def test_one_bad_sample_begins_the_soak_anew():
    world = World(plan(1, members=False))
    samples = iter(["ok", "ok", "bad", "ok", "ok", "ok", "ok"])
    said = []

    def check(do):
        said.append(world.now)
        return Did(do.node, do.serial, health=Health(verdict=next(samples)))

    world.answers["n0", Action.CHECK] = check
    world.run()
    assert world.coordinator.outcomes["n0"] is Outcome.DONE
    assert len(said) == 6
    assert said[-1] - said[3] >= 5


def test_a_node_that_never_returns_keeps_its_lease_and_stops_the_rest():
    world = World(plan())

    def gone(do):
        world.answers["n0", Action.SURVEY] = fails("connection refused", "unreachable")
        return Did(do.node, do.serial)

    world.answers["n0", Action.REBOOT] = gone
    world.run()
    assert world.coordinator.outcomes["n0"] is Outcome.LOST
    assert "connection refused" in world.coordinator.why("n0")
    assert ("n0", Action.RELEASE) not in {(do.node, do.action) for do in world.told}
    assert world.now > 900


def test_a_reboot_that_never_happens_is_called_off():
    world = World(plan(patience=Patience(back=60)))
    world.answers["n0", Action.REBOOT] = lambda do: Did(do.node, do.serial)
    world.run()
    assert world.coordinator.outcomes["n0"] is Outcome.FAILED
    assert world.nodes["n0"].ticket is None
    assert "not rebooted" in world.coordinator.why("n0")


def test_another_machine_at_the_address_is_never_touched_again():
    world = World(plan())

    def swap(do):
        world.reboot("n0", "USR-B")
        world.change("n0", machine_id="somebody else")
        return Did(do.node, do.serial)

    world.answers["n0", Action.REBOOT] = swap
    world.run()
    assert world.coordinator.outcomes["n0"] is Outcome.LOST
    assert world.actions("n0")[-1] == "survey"


def test_an_unreachable_node_counts_as_down_and_as_failed():
    world = World(plan(max_failures=1))
    world.answers["n1", Action.SURVEY] = fails("no route", "unreachable")
    world.run()
    assert world.coordinator.outcomes["n1"] is Outcome.UNREACHABLE
    assert world.coordinator.outcomes["n0"] is Outcome.NOT_REACHED
    assert "n1" in world.coordinator.why("n0")
    assert world.coordinator.exit_code == 3


def test_the_budget_lets_the_rest_go_on():
    world = World(plan(4, members=False, zones=1, max_failures=1, canaries=0))
    world.answers["n1", Action.DRAIN] = fails()
    world.run()
    assert [world.coordinator.outcomes[f"n{i}"] for i in range(4)] == [
        Outcome.DONE,
        Outcome.FAILED,
        *[Outcome.DONE] * 2,
    ]


def test_a_denied_version_is_not_begun():
    world = World(plan())
    world.denied = frozenset({NEW})
    world.run()
    assert world.coordinator.exit_code == 4
    assert "denied" in world.coordinator.refused
    assert not world.order(Action.STAGE)


def test_a_second_controller_is_refused():
    world = World(plan())
    world.answers[ROLLOUT, Action.LEASE] = fails("run 7f3 from ci-4 has it", "busy")
    world.run()
    assert world.coordinator.exit_code == 4
    assert world.coordinator.refused == "run 7f3 from ci-4 has it"
    assert len(world.told) == 1


def test_outside_the_window_nothing_begins():
    world = World(plan(windows=(Window.parse("Sat 02:00-05:00 UTC"),)))  # 1970-01-01 was a Thursday
    world.run()
    assert world.coordinator.exit_code == 4
    assert "opens Sat 1970-01-03 02:00" in world.coordinator.refused
    assert not world.order(Action.DRAIN)


def test_it_can_wait_for_the_window():
    world = World(plan(windows=(Window.parse("Sat 02:00-05:00 UTC"),), wait_for_window=True))
    world.run(limit=1e6)
    assert set(world.coordinator.outcomes.values()) == {Outcome.DONE}
    assert world.now >= 2 * 86400 + 2 * 3600


def test_it_does_not_wait_for_a_window_that_is_always_too_short():
    world = World(plan(windows=(Window.parse("Sat 02:00-02:01 UTC"),), wait_for_window=True))
    world.coordinator.situation.turn = 600
    world.run(limit=1e6)
    assert world.coordinator.exit_code == 4
    assert "never open long enough for a turn of about 600 s" in world.coordinator.refused


def test_it_waits_for_the_next_opening_when_too_little_is_left_of_this_one():
    thursday = Window.parse("Thu 00:00-00:02 UTC")
    world = World(plan(1, members=False, windows=(thursday, Window.parse("Thu 03:00-04:00 UTC")), wait_for_window=True))
    world.coordinator.situation.turn = 600
    world.run()
    assert world.coordinator.exit_code == 0
    assert 3 * 3600 <= world.now < 4 * 3600


def test_a_window_that_closed_while_draining_sends_the_node_back():
    world = World(plan(windows=(Window.parse("Thu 00:00-00:10 UTC"),)))

    def drain(do):
        world.now += 560
        return world.well(do)

    world.answers["n1", Action.DRAIN] = drain
    world.run()
    assert world.coordinator.outcomes["n0"] is Outcome.DONE
    assert world.coordinator.outcomes["n1"] is Outcome.NOT_REACHED
    assert world.actions("n1")[-4:] == ["gate", "revert", "undrain", "release"]
    assert world.coordinator.exit_code == 5


def test_quorum_is_read_at_the_gate():
    world = World(plan(patience=Patience(gate=30)))
    world.healthy = frozenset({"n0", "n1"})
    world.run()
    assert world.coordinator.outcomes["n0"] is Outcome.FAILED
    assert "would lose its quorum" in world.coordinator.why("n0")
    assert not world.order(Action.DRAIN)


def test_the_only_member_wants_a_word_from_the_operator():
    assert World(plan(1, patience=Patience(gate=30))).run().coordinator.exit_code == 1
    assert World(plan(1, allow_downtime=True)).run().coordinator.exit_code == 0


def test_stop_puts_back_who_has_not_rebooted_and_finishes_who_has():
    world = World(plan())
    world.at[10.0] = lambda: Stop("interrupted")
    world.run()
    assert world.coordinator.outcomes["n0"] in (Outcome.DONE, Outcome.NOT_REACHED)
    assert world.coordinator.outcomes["n1"] is Outcome.NOT_REACHED
    assert world.coordinator.exit_code == 5
    assert not any(node.drained for node in world.nodes.values())


def test_without_its_lease_it_does_nothing_more():
    world = World(plan())
    world.answers["n0", Action.DRAIN] = lambda do: LeaseLost("n0", "released by force")
    world.run()
    assert world.coordinator.outcomes["n0"] is Outcome.LOST
    assert world.actions("n0")[-1] == "drain"


def test_hooks_stand_where_they_belong():
    hooks = frozenset({"before_drain", "before_reboot", "after_reboot"})
    world = World(plan(1, members=False, hooks=hooks)).run()
    assert world.actions("n0")[2:] == [
        "lease",
        "gate",
        "before_drain",
        "drain",
        "before_reboot",
        "gate",
        "activate",
        "reboot",
        "survey",
        "after_reboot",
        "check",
        "mark_good",
        "undrain",
        "release",
    ]


def left_by_a_crash(stage, boot, slot, **fields):
    world = World(plan(2, members=False))
    ticket = Ticket(run="r0", version=NEW, sha256=SHA, slot="USR-B", boot_id=boot, stage=stage)
    world.change("n1", ticket=ticket, drained=True, staged=SHA, **fields)
    if slot == "USR-B":
        world.change("n1", slot="USR-B", passive="USR-A", version=NEW, good=False)
    return world


@pytest.mark.parametrize(
    ("stage", "boot", "slot", "first", "outcome", "reboots"),
    [
        ("activated", "n1-1", "USR-A", "gate", Outcome.DONE, 1),
        ("activated", "n1-0", "USR-B", "check", Outcome.DONE, 0),
        ("activated", "n1-0", "USR-A", "deny", Outcome.ROLLED_BACK, 0),
        ("good", "n1-0", "USR-B", "undrain", Outcome.DONE, 0),
        ("rolling back", "n1-1", "USR-B", "gate", Outcome.ROLLED_BACK, 1),
        ("rolling back", "n1-0", "USR-A", "deny", Outcome.ROLLED_BACK, 0),
    ],
)
def test_resume_goes_on_from_what_it_finds(stage, boot, slot, first, outcome, reboots):
    world = left_by_a_crash(stage, boot, slot, next="USR-B" if stage == "activated" else "USR-A").run()
    assert world.coordinator.outcomes["n1"] is outcome
    assert world.actions("n1")[:3] == ["survey", "lease", first]
    assert len([n for n in world.order(Action.REBOOT) if n == "n1"]) == reboots
    assert not world.nodes["n1"].drained
    assert world.nodes["n1"].ticket is None


def test_abort_of_a_dead_run_finishes_what_is_under_way_and_begins_nothing():
    world = left_by_a_crash("activated", "n1-1", "USR-A", next="USR-B")
    world.coordinator = type(world.coordinator)(replace(world.coordinator.plan, start_none=True))
    world.run()
    assert world.coordinator.outcomes == {"n0": Outcome.NOT_REACHED, "n1": Outcome.NOT_REACHED}
    assert world.nodes["n1"].next == "USR-A"
    assert not world.order(Action.REBOOT)


def test_an_unfinished_upgrade_to_something_else_is_left_to_its_own_run():
    world = World(plan(2, members=False, max_failures=1))
    ticket = Ticket(run="r0", version="0.9", sha256="", slot="USR-B", boot_id="n1-1", stage="activated")
    world.change("n1", ticket=ticket)
    world.run()
    assert world.coordinator.outcomes["n1"] is Outcome.BLOCKED
    assert "run r0" in world.coordinator.why("n1")


def test_rollback_is_the_same_way_without_an_image_and_denies_where_it_comes_from():
    back = replace(plan(1, members=False), version=OLD, sha256="", deny_source=True)
    world = World(back)
    world.change("n0", version=NEW, passive_version=OLD)
    world.answers["n0", Action.ACTIVATE] = lambda do: (
        world.change(
            "n0", next="USR-B",
            ticket=Ticket(run="r", version=OLD, sha256="", slot="USR-B", boot_id="n0-1", stage="activated"),
        ),
        Did(do.node, do.serial),
    )[1]  # fmt: skip
    world.answers["n0", Action.REBOOT] = lambda do: (
        world.change("n0", boot_id="n0-2", slot="USR-B", passive="USR-A", version=OLD, passive_version=NEW, good=True),
        Did(do.node, do.serial),
    )[1]
    world.run()
    assert world.coordinator.outcomes["n0"] is Outcome.DONE
    assert [do.detail for do in world.told if do.action is Action.DENY] == [NEW]
    assert not world.order(Action.STAGE)


def test_an_answer_that_comes_too_late_changes_nothing():
    world = World(plan(1, members=False, patience=Patience(drain=30)))
    late = []
    world.answers["n0", Action.DRAIN] = lambda do: late.append(do)
    world.at[60.0] = lambda: Did("n0", late[0].serial)
    world.run()
    assert world.coordinator.outcomes["n0"] is Outcome.FAILED
    assert "no answer" in world.coordinator.why("n0")
