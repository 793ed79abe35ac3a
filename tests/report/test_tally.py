"""Events fold into what was said to have happened."""

from __future__ import annotations

from coreops import events as ev
from coreops.model import TaskResult
from coreops.report.tally import Tally
from tests.report import stories


def fold(story: list[ev.Event]) -> Tally:
    tally = Tally()
    for second, event in enumerate(story):
        tally.apply(event, float(second))
    return tally


def test_states_and_counts() -> None:
    tally = fold(stories.small())
    assert {row.name: row.state for row in tally.hosts.values()} == {"n1": "done", "n2": "failed", "n3": "unreachable"}
    assert [tally.hosts["n1"].count(kind) for kind in ("ok", "changed", "failed", "skipped")] == [2, 1, 0, 1]
    assert tally.hosts["n2"].exchanges == 1


def test_errors_and_diffs_are_grouped_over_hosts() -> None:
    tally = fold(stories.small())
    assert [(group.text, group.hosts) for group in tally.errors.values()] == [
        ("connection refused", ["n3"]),
        ("start etcd: Job failed", ["n2"]),
    ]
    assert [group.hosts for group in tally.diffs.values()] == [["n1", "n2"]]


def test_groups_come_in_the_order_of_tasks_and_hosts() -> None:
    def diff(host: str, name: str, text: str) -> ev.Event:
        return stories.task(host, name, TaskResult(changed=True, diff=text))

    tally = fold(
        [
            ev.RunStarted("r", "c", ("n1", "n2", "n3")),
            diff("n3", "first", "same"),
            diff("n2", "first", "other"),
            diff("n3", "second", "x"),
            diff("n1", "first", "same"),
        ]
    )
    assert [(group.name, group.text, group.hosts) for group in tally.in_order(tally.diffs)] == [
        ("first", "same", ["n1", "n3"]),
        ("first", "other", ["n2"]),
        ("second", "x", ["n3"]),
    ]


def test_reasons_that_differ_are_left_out_of_a_group() -> None:
    (group,) = fold(stories.many()).errors.values()
    assert (len(group.hosts), group.why) == (37, "")


def test_counts_while_a_play_is_under_way_and_over_plays() -> None:
    story = stories.small()[:10]
    tally = fold(story)
    assert tally.hosts["n1"].count("changed") == 1
    end = ev.HostFinished("n1", "done", ok=5, changed=2)
    for event in (end, end):
        tally.apply(event, 99.0)
    assert (tally.hosts["n1"].count("ok"), tally.hosts["n1"].count("changed")) == (10, 4)


def test_a_program_without_counts_is_counted_by_its_tasks() -> None:
    tally = fold([stories.task("n1", "x", TaskResult(changed=True)), ev.HostFinished("n1", "done")])
    assert (tally.hosts["n1"].count("ok"), tally.hosts["n1"].count("changed")) == (1, 1)


def test_an_error_without_a_task_is_told_once() -> None:
    alone = fold([ev.HostFinished("n1", "failed", error="variable 'x' is not defined")])
    assert [group.text for group in alone.errors.values()] == ["variable 'x' is not defined"]
    told = fold(
        [
            stories.task("n1", "x", TaskResult(failed=True, message="no")),
            ev.HostFinished("n1", "failed", failed=1, error="x: no"),
        ]
    )
    assert [group.text for group in told.errors.values()] == ["x: no"]


def test_the_worse_of_two_plays_counts() -> None:
    tally = fold([ev.HostFinished("n1", "failed"), ev.HostFinished("n1", "done")])
    assert tally.hosts["n1"].state == "failed"


def test_the_end_of_the_run_knows_who_recovered_but_not_better_what_failed() -> None:
    lost = [ev.HostUnreachable(host, "tcp", "refused") for host in ("n1", "n2")]
    tally = fold([*lost, ev.RunFinished("r", 1, 1.0, {"n1": "failed", "n2": "done"})])
    assert {row.name: row.state for row in tally.hosts.values()} == {"n1": "unreachable", "n2": "done"}


def test_secrets_do_not_stay() -> None:
    tally = fold(stories.secret())
    assert stories.SECRET not in repr([tally.errors, tally.diffs])
