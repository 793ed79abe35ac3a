"""One version at a time: barriers, what is under way, several boards, rollbacks."""

from __future__ import annotations

import pytest

from coreops.errors import RefusedError
from coreops.upgrade.observation import Observation, Ticket
from coreops.upgrade.planning.rounds import rollbacks, upgrades
from coreops.upgrade.release import Release
from tests.upgrade.samples import release, seen

ALL = [release("1.0.0"), release("1.1.0"), release("1.2.0", barrier=True), release("1.3.0")]
Shape = list[tuple[str, tuple[str, ...]]]


def rounds(to: str, *, allow_downgrade: bool = False, away: tuple[str, ...] = (), **hosts: Observation) -> Shape:
    def target(board: str) -> Release:
        return next(one for one in ALL if one.version == to)

    made = upgrades([*hosts, *away], hosts, target, ALL, allow_downgrade=allow_downgrade)
    return [(one.version, one.hosts) for one in made]


def test_one_round_for_everybody() -> None:
    assert rounds("1.1.0", n1=seen("1.0.0"), n2=seen("1.1.0")) == [("1.1.0", ("n1", "n2"))]


def test_a_barrier_is_a_round_for_those_below_it() -> None:
    made = rounds("1.3.0", n1=seen("1.0.0"), n2=seen("1.2.0"), n3=seen("1.3.0"))
    assert made == [("1.2.0", ("n1",)), ("1.3.0", ("n1", "n2", "n3"))]


def test_a_host_that_is_away_counts_in_every_round() -> None:
    made = rounds("1.3.0", away=("n9",), n1=seen("1.1.0"))
    assert made == [("1.2.0", ("n1", "n9")), ("1.3.0", ("n1", "n9"))]


def test_what_is_under_way_is_finished_first() -> None:
    ticket = Ticket(run="r", version="1.1.0", sha256="s", slot="USR-B", boot_id="b0", stage="activated")
    made = rounds("1.3.0", n1=seen("1.0.0", ticket=ticket))
    assert [version for version, _ in made] == ["1.1.0", "1.2.0", "1.3.0"]


def test_a_downgrade_is_refused_for_the_host_that_would_do_it() -> None:
    with pytest.raises(RefusedError, match="older than") as caught:
        rounds("1.1.0", n1=seen("1.0.0"), n2=seen("1.3.0"))
    assert caught.value.where == "n2"
    assert rounds("1.1.0", allow_downgrade=True, n2=seen("1.3.0")) == [("1.1.0", ("n2",))]


def test_every_board_has_its_own_rounds() -> None:
    arm = release("1.1.0", board="arm64-usr")
    boards = {"amd64-usr": release("1.1.0"), "arm64-usr": arm}
    hosts = {"n1": seen("1.0.0"), "n2": seen("1.0.0", board="arm64-usr")}
    made = upgrades(list(hosts), hosts, boards.__getitem__, [*ALL, arm], allow_downgrade=False)
    assert [(one.release and one.release.board, one.hosts) for one in made] == [
        ("amd64-usr", ("n1",)),
        ("arm64-usr", ("n2",)),
    ]


def test_a_rollback_goes_where_the_other_slot_leads() -> None:
    hosts = {"n1": seen("1.1.0", passive_version="1.0.0", fallback=True), "n2": seen("1.1.0")}
    made, without = rollbacks(["n1", "n2"], hosts, {})
    assert [(one.version, one.hosts, one.release) for one in made] == [("1.0.0", ("n1",), None)]
    assert "n2" in without


def test_a_rollback_that_goes_on_does_not_turn_round() -> None:
    hosts = {"n1": seen("1.0.0", passive_version="1.1.0"), "n2": seen("1.1.0", passive_version="1.0.0")}
    made, _ = rollbacks(["n1", "n2"], hosts, {"n1": "1.0.0", "n2": "1.0.0"})
    assert [(one.version, one.hosts) for one in made] == [("1.0.0", ("n1", "n2"))]


def test_a_rollback_needs_a_slot_that_was_good_once_and_nothing_under_way() -> None:
    ticket = Ticket(run="r", version="1.1.0", sha256="s", slot="USR-B", boot_id="b0", stage="activated")
    hosts = {
        "n1": seen("1.0.0", passive_version="1.1.0", staged="s"),
        "n2": seen("1.1.0", passive_version="1.0.0", fallback=True, ticket=ticket),
    }
    made, without = rollbacks(["n1", "n2"], hosts, {})
    assert made == ()
    assert "never proven itself" in without["n1"]
    assert "coreops resume, or coreops abort, first" in without["n2"]
    assert rollbacks(["n2"], hosts, {"n2": "1.0.0"})[0][0].version == "1.0.0"
