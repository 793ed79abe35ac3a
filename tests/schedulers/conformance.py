"""What every scheduler's adapter must do: subclass ``SchedulerConformance`` and give it ``worlds``, a fixture that
returns a maker of worlds (``tests.schedulers.worlds``). The rules are those of ``coreops.schedulers.protocol``.

Worlds of which a new one is expensive (a real lab) may hand out the same one again, put back to how it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from coreops.errors import RefusedError
from coreops.schedulers.protocol import Fenced, Mark, Settled, Talk, runs_on
from tests.schedulers.worlds import (
    OPERATOR,
    UPGRADE,
    World,
    breaks,
    check_words,
    cordon,
    drain,
    hold,
    left,
    listed,
    must,
    node_of,
    picture,
    uncordon,
)

Act = Callable[[World], None]
ACTS: dict[str, tuple[Act, Callable[[World], tuple[Sequence[str], Callable[[], Talk[None]]]]]] = {}
"""What may be broken off: what comes before, and the talk."""


def _about(verb: str, mark: Mark) -> Callable[[World], tuple[Sequence[str], Callable[[], Talk[None]]]]:
    def talk(world: World) -> tuple[Sequence[str], Callable[[], Talk[None]]]:
        say = getattr(world.scheduler, verb)
        return world.scheduler.where(world.node), lambda: say(world.node, mark)

    return talk


def _busy(world: World) -> None:
    world.start(world.node)
    world.start(world.other)


def _cordoned(world: World) -> None:
    _busy(world)
    cordon(world, world.node)


def _drained(world: World) -> None:
    _cordoned(world)
    drain(world, world.node)


def _by_operator(world: World) -> None:
    _busy(world)
    cordon(world, world.node, OPERATOR)


def _over_operator(world: World) -> None:
    _by_operator(world)
    cordon(world, world.node)
    drain(world, world.node)


for _mark in (UPGRADE, OPERATOR):
    ACTS[f"cordon by {_mark.by}"] = (_busy, _about("cordon", _mark))
    ACTS[f"drain by {_mark.by}"] = (_cordoned if _mark is UPGRADE else _by_operator, _about("drain", _mark))
    ACTS[f"uncordon by {_mark.by}"] = (_drained, _about("uncordon", _mark))
ACTS["drain by upgrade what an operator cordoned"] = (_by_operator, _about("drain", UPGRADE))
ACTS["uncordon by upgrade what an operator cordoned"] = (_over_operator, _about("uncordon", UPGRADE))


class SchedulerConformance:
    """The rules. ``worlds`` comes from the subclass."""

    @pytest.fixture
    def world(self, worlds: Callable[[], World]) -> World:
        return worlds()

    # What it says

    def test_every_host_is_a_node_that_is_ready(self, world: World) -> None:
        nodes = listed(world)
        assert sorted(node.host for node in nodes) == sorted(world.scheduler.cluster.names)
        assert all(node.state == "ready" and not node.cordoned and not node.drained for node in nodes), nodes
        roles = {host.name: host.role for host in world.scheduler.cluster.hosts}
        assert {node.host: node.role for node in nodes} == roles
        assert sum(node.leader for node in nodes) <= 1
        assert len({node.name for node in nodes}) == len(nodes)

    def test_a_cluster_that_is_as_wanted_is_settled(self, world: World) -> None:
        seen = {}
        for host in world.scheduler.cluster.names:
            seen[host] = must(world, (host,), lambda host=host: world.scheduler.look(host))
            assert seen[host].host == host
        assert world.scheduler.decide(seen) == Settled()
        assert len({each.cluster for each in seen.values()}) == 1

    def test_a_worker_that_was_not_looked_at_is_left_as_it_is(self, world: World) -> None:
        cluster = world.scheduler.cluster
        away = next((host for host in (world.other, world.node) if cluster.host(host).role == "worker"), None)
        if away is None:
            pytest.skip("no worker")
        seen = {}
        for host in cluster.names:
            if host != away:
                seen[host] = must(world, (host,), lambda host=host: world.scheduler.look(host))
        assert world.scheduler.decide(seen) == Settled()

    def test_tasks_are_counted_where_they_run(self, world: World) -> None:
        words = [world.start(world.node), world.start(world.node), world.start(world.other)]
        found = must(world, runs_on(world.scheduler), world.scheduler.workloads)
        for host, number in ((world.node, 2), (world.other, 1)):
            assert world.running(host) == number
            assert len([each for each in found if each.host == host]) == number, found
            assert node_of(world, host).running in (None, number)
            assert len(left(world, host)) == number
        text = " ".join(f"{each.service} {each.task}" for each in found)
        assert all(word in text for word in words), text
        assert all(each.service and each.task and each.state for each in found)

    def test_nothing_is_left_where_nothing_runs(self, world: World) -> None:
        world.start(world.other)
        assert left(world, world.node) == ()

    def test_a_host_that_died_is_told_as_such(self, world: World) -> None:
        world.kill(world.node)
        assert node_of(world, world.node).state != "ready"
        assert node_of(world, world.other).state == "ready"

    def test_there_is_somebody_to_ask_about_every_host(self, world: World) -> None:
        for host in world.scheduler.cluster.names:
            asked = world.scheduler.where(host)
            assert asked
            assert set(asked) <= set(world.scheduler.cluster.names)
            assert len(set(asked)) == len(asked)

    def test_new_secrets_are_named_and_not_told(self, world: World) -> None:
        ended = hold(world, runs_on(world.scheduler), world.scheduler.rotate)
        assert isinstance(ended.error, RefusedError | None), f"{ended.error}"
        assert ended.error is None or ended.error.next, "it does not say how else"
        check_words(world, " ".join(ended.value or ()))
        assert all(node.state == "ready" for node in listed(world))

    # Cordon

    @pytest.mark.parametrize("mark", [UPGRADE, OPERATOR], ids=lambda mark: mark.by)
    def test_a_cordon_keeps_new_work_away_and_leaves_what_runs(self, world: World, mark: Mark) -> None:
        world.start(world.node)
        assert world.open(world.node)
        cordon(world, world.node, mark)
        assert not world.open(world.node)
        assert world.running(world.node) == 1
        found = node_of(world, world.node)
        assert (found.cordoned, found.drained) == (mark.by, False)
        assert world.open(world.other)
        assert not node_of(world, world.other).cordoned
        uncordon(world, world.node, mark)
        assert world.open(world.node)
        assert not node_of(world, world.node).cordoned

    @pytest.mark.parametrize("mark", [UPGRADE, OPERATOR], ids=lambda mark: mark.by)
    def test_a_cordon_is_remembered_in_the_write_that_makes_it(self, world: World, mark: Mark) -> None:
        def look() -> None:
            if not world.open(world.node):
                assert node_of(world, world.node).cordoned == mark.by

        cordon(world, world.node, mark, after=look)

    def test_a_foreign_cordon_outlives_an_upgrade(self, world: World) -> None:
        world.start(world.node)
        world.close(world.node)
        assert node_of(world, world.node).cordoned == "other"
        cordon(world, world.node)
        drain(world, world.node)
        assert world.running(world.node) == 0
        uncordon(world, world.node)
        assert not world.open(world.node)
        assert node_of(world, world.node).cordoned == "other"

    def test_an_upgrade_that_did_nothing_undoes_nothing(self, world: World) -> None:
        uncordon(world, world.node)
        assert world.open(world.node)
        world.close(world.node)
        uncordon(world, world.node)
        assert not world.open(world.node)

    def test_an_operators_cordon_outlives_an_upgrade(self, world: World) -> None:
        world.start(world.node)
        cordon(world, world.node, OPERATOR)
        cordon(world, world.node)
        assert node_of(world, world.node).cordoned == "operator"
        drain(world, world.node)
        uncordon(world, world.node)
        assert not world.open(world.node)
        assert node_of(world, world.node).cordoned == "operator"
        uncordon(world, world.node, OPERATOR)
        assert world.open(world.node)

    def test_an_operator_who_cordons_in_an_upgrade_outlives_it(self, world: World) -> None:
        cordon(world, world.node)
        drain(world, world.node)
        cordon(world, world.node, OPERATOR)
        uncordon(world, world.node)
        assert not world.open(world.node)
        assert node_of(world, world.node).cordoned == "operator"

    @pytest.mark.parametrize("who", ["upgrade", "other"])
    def test_an_operator_makes_any_node_take_work_again(self, world: World, who: str) -> None:
        if who == "other":
            world.close(world.node)
        else:
            cordon(world, world.node)
            drain(world, world.node)
        uncordon(world, world.node, OPERATOR)
        assert world.open(world.node)
        assert not node_of(world, world.node).cordoned
        uncordon(world, world.node)
        assert world.open(world.node)

    # Drain

    @pytest.mark.parametrize("mark", [UPGRADE, OPERATOR], ids=lambda mark: mark.by)
    def test_a_drain_moves_the_work(self, world: World, mark: Mark) -> None:
        world.start(world.node)
        world.start(world.node)
        world.start(world.other)
        before = world.running(world.other)
        cordon(world, world.node, mark)
        drain(world, world.node, mark)
        assert world.running(world.node) == 0
        assert left(world, world.node) == ()
        assert world.running(world.other) >= before, "work of another node was stopped"
        assert not world.open(world.node)
        found = node_of(world, world.node)
        assert found.cordoned == mark.by
        assert found.running in (None, 0)

    def test_a_drain_waits_for_the_tasks_and_names_them(self, world: World) -> None:
        word = world.start(world.node, stubborn=True)
        cordon(world, world.node)
        make = _about("drain", UPGRADE)(world)
        ended = hold(world, *make, pauses=8)
        assert not ended.over, "the task still runs"
        assert world.running(world.node) == 1, "it was killed"
        assert any(word in text for text in ended.pauses[-1]), f"{ended.pauses[-1]} do not name {word}"
        assert any(word in text for text in left(world, world.node))
        world.let_go()
        drain(world, world.node)
        assert world.running(world.node) == 0

    def test_a_drain_is_never_over_while_a_task_runs(self, world: World) -> None:
        world.start(world.node, stubborn=True)
        world.start(world.node)
        cordon(world, world.node)
        ended = hold(world, *_about("drain", UPGRADE)(world), pauses=4)
        assert not ended.over
        world.let_go()
        ended = hold(world, *_about("drain", UPGRADE)(world))
        assert ended.over
        assert world.running(world.node) == 0

    def test_an_empty_node_is_drained_at_once(self, world: World) -> None:
        cordon(world, world.node)
        ended = hold(world, *_about("drain", UPGRADE)(world))
        assert ended.over
        assert ended.error is None
        assert left(world, world.node) == ()

    # Done twice, broken off, elsewhere

    @pytest.mark.parametrize("act", ACTS)
    def test_done_twice_is_as_if_done_once(self, worlds: Callable[[], World], act: str) -> None:
        before, talk = ACTS[act]
        once = _end(worlds(), before, talk, times=1)
        assert _end(worlds(), before, talk, times=2) == once

    @pytest.mark.parametrize("act", ACTS)
    def test_broken_off_after_any_step_and_done_again_ends_the_same(
        self, worlds: Callable[[], World], act: str
    ) -> None:
        before, talk = ACTS[act]
        whole = _end(worlds(), before, talk, times=1)
        over = False
        for steps in breaks(worlds, before, talk):
            world = worlds()
            before(world)
            first = hold(world, *talk(world), steps=steps)
            assert first.error is None, first.error
            hosts, make = talk(world)
            must(world, tuple(reversed(hosts)), make)
            assert picture(world) == whole, f"broken off after {steps} steps"
            over = first.over
        assert over, "another time it takes more steps"

    @pytest.mark.parametrize("act", ["cordon by upgrade", "drain by upgrade"])
    def test_what_was_broken_off_can_be_undone(self, worlds: Callable[[], World], act: str) -> None:
        """The controller died within; the next one only wants the node back."""
        before, talk = ACTS[act]
        over = False
        for steps in breaks(worlds, before, talk):
            world = worlds()
            before(world)
            first = hold(world, *talk(world), steps=steps)
            uncordon(world, world.node)
            assert world.open(world.node), f"broken off after {steps} steps"
            assert not node_of(world, world.node).cordoned
            over = first.over
        assert over, "another time it takes more steps"

    def test_any_host_that_may_be_asked_can_answer(self, worlds: Callable[[], World]) -> None:
        for number in range(len(worlds().scheduler.where(worlds().node))):
            world = worlds()
            world.start(world.node)
            host = world.scheduler.where(world.node)[number]
            for verb in ("cordon", "drain"):
                must(world, (host,), _about(verb, UPGRADE)(world)[1])
            assert world.running(world.node) == 0
            must(world, (host,), _about("uncordon", UPGRADE)(world)[1])
            assert world.open(world.node)

    # Fencing

    @pytest.mark.parametrize("verb", ["cordon", "drain", "uncordon"])
    def test_an_older_controller_is_refused(self, world: World, verb: str) -> None:
        world.start(world.node)
        cordon(world, world.node, Mark(by="upgrade", token=7))
        seen = picture(world)
        ended = hold(world, *_about(verb, Mark(by="upgrade", token=6))(world))
        assert isinstance(ended.error, Fenced), f"{verb}: {ended.error}"
        assert picture(world) == seen

    def test_an_older_controller_is_refused_after_the_newer_one_has_gone(self, world: World) -> None:
        cordon(world, world.node, Mark(by="upgrade", token=7))
        uncordon(world, world.node, Mark(by="upgrade", token=7))
        ended = hold(world, *_about("cordon", Mark(by="upgrade", token=6))(world))
        assert isinstance(ended.error, Fenced)
        assert world.open(world.node)

    def test_a_newer_controller_takes_over(self, world: World) -> None:
        world.start(world.node)
        cordon(world, world.node, Mark(by="upgrade", token=7))
        drain(world, world.node, Mark(by="upgrade", token=9))
        uncordon(world, world.node, Mark(by="upgrade", token=9))
        assert world.open(world.node)
        cordon(world, world.node, Mark(by="upgrade", token=9))

    def test_an_operator_is_not_fenced(self, world: World) -> None:
        cordon(world, world.node, Mark(by="upgrade", token=7))
        uncordon(world, world.node, OPERATOR)
        assert world.open(world.node)
        cordon(world, world.node, OPERATOR)
        ended = hold(world, *_about("uncordon", Mark(by="upgrade", token=6))(world))
        assert isinstance(ended.error, Fenced), "what an operator did has made it forget the token"

    # Remove

    def test_a_node_that_lives_is_not_removed(self, world: World) -> None:
        world.start(world.node)
        ended = hold(world, *_remove(world))
        assert isinstance(ended.error, RefusedError), f"{ended.error}"
        assert world.node in str(ended.error)
        assert node_of(world, world.node).state == "ready"
        assert world.running(world.node) == 1

    def test_a_node_that_is_gone_is_forgotten(self, worlds: Callable[[], World]) -> None:
        for steps in range(1, 100):
            world = worlds()
            world.kill(world.node)
            first = hold(world, *_remove(world), steps=steps)
            assert first.error is None, first.error
            must(world, *_remove(world))
            assert world.node not in {node.host for node in listed(world)}
            assert world.other in {node.host for node in listed(world)}
            if first.over:
                return


def _remove(world: World) -> tuple[Sequence[str], Callable[[], Talk[None]]]:
    hosts = [host for host in world.scheduler.where(world.node) if host != world.node]
    return hosts, lambda: world.scheduler.remove(world.node)


def _end(
    world: World,
    before: Act,
    talk: Callable[[World], tuple[Sequence[str], Callable[[], Talk[None]]]],
    times: int,
) -> list[tuple[Any, ...]]:
    before(world)
    for _ in range(times):
        must(world, *talk(world))
    return picture(world)
