"""The rules where answers are lost, places are away, and values are of another time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from coreops.errors import RefusedError, UnreachableError
from coreops.upgrade.ledger.book import Book
from coreops.upgrade.ledger.places import Cell
from coreops.upgrade.ledger.protocol import Busy
from tests.support.ledger import Memory, holder, lease_key, memory_ledger

KEY = lease_key("n1")


def one_of(places: Memory, run: str) -> Book:
    return Book(places, holder(run))


def test_an_answer_lost_after_the_grant_is_recognised() -> None:
    places = Memory()
    book, other = one_of(places, "run-1"), one_of(places, "run-2")
    places.lose = lambda swap: True
    with pytest.raises(UnreachableError):
        book.acquire("n1", reason="r")
    places.lose = lambda swap: False
    with pytest.raises(Busy):
        other.acquire("n1", reason="r")
    assert book.acquire("n1", reason="r").token == 1
    assert book.renew() == ()
    book.release("n1")
    assert places.cells["memory"] == {}


def test_answers_lost_after_a_renewal_a_note_and_a_release() -> None:
    places = Memory()
    book = one_of(places, "run-1")
    book.acquire("n1", reason="r")
    places.lose = lambda swap: True
    with pytest.raises(UnreachableError):
        book.renew()
    book.note("n1", "reboot")
    places.lose = lambda swap: False
    assert book.renew() == ()
    assert book.held()[0].phase == "reboot"
    places.lose = lambda swap: swap.value is None
    with pytest.raises(UnreachableError):
        book.release("n1")
    assert book.held() == ()
    places.lose = lambda swap: False
    book.release("n1")
    assert book.renew() == ()


def test_a_note_that_could_not_be_written_goes_with_the_next_renewal() -> None:
    places = Memory()
    book = one_of(places, "run-1")
    book.acquire("n1", reason="r")
    places.down = {"memory"}
    book.note("n1", "reboot")
    with pytest.raises(UnreachableError):
        book.renew()
    places.down = set()
    assert book.renew() == ()
    assert book.held()[0].phase == "reboot"


def test_without_an_answer_nothing_is_assumed() -> None:
    places = Memory()
    book = one_of(places, "run-1")
    places.down = {"memory"}
    for ask in (book.held, book.denied, book.audit, lambda: book.acquire("n1", reason="r"),
                lambda: book.deny("1", "n1", "r"), lambda: book.clear_denial("1")):  # fmt: skip
        with pytest.raises(UnreachableError):
            ask()
    assert places.cells == {"memory": {}}


def test_unknown_fields_are_kept_and_a_later_format_is_left_alone() -> None:
    places = Memory()
    book, other = one_of(places, "run-1"), one_of(places, "run-2")
    book.acquire("n1", reason="r")
    cell = places.cells["memory"][KEY]
    places.cells["memory"][KEY] = Cell(json.dumps(json.loads(cell.value) | {"colour": "blue"}), cell.mark)
    assert book.acquire("n1", reason="r").extra == {"colour": "blue"}
    book.renew()
    assert json.loads(places.cells["memory"][KEY].value)["colour"] == "blue"
    places.beats.clear()
    places.cells["memory"][KEY] = Cell(json.dumps(json.loads(cell.value) | {"v": 2}), cell.mark)
    with pytest.raises(Busy, match="newer coreops"):
        other.acquire("n1", reason="r", takes_over=frozenset({"run-1"}))


def test_a_lease_that_cannot_be_read_is_held() -> None:
    places = Memory()
    places.cells["memory"][KEY] = Cell("garbage", 1)
    book = memory_ledger(places=places)
    with pytest.raises(RefusedError, match="cannot be read"):
        book.acquire("n1", reason="r", takes_over=frozenset({""}))
    assert book.force_release("n1", "it was garbage").subject == "n1"
    assert book.acquire("n1", reason="r").token > 0


def test_how_long_a_holder_has_been_silent() -> None:
    places, then = Memory(), datetime(2026, 1, 1, tzinfo=UTC)
    Book(places, holder("run-1"), lambda: then).acquire("n1", reason="r")
    places.beats.clear()
    later = Book(places, holder("run-2"), lambda: then + timedelta(minutes=12))
    [lease] = later.held()
    assert (lease.alive, lease.silent) == (False, 720)
    with pytest.raises(Busy, match="silent for 12 min"):
        later.acquire("n1", reason="r")


def test_a_key_of_many_places_needs_most_of_them() -> None:
    places = Memory("a", "b", "c")
    book = one_of(places, "run-1")
    places.down = {"a"}
    assert book.acquire("n1", reason="r").token == 1
    places.down = {"a", "b"}
    assert book.renew() == ()
    with pytest.raises(UnreachableError):
        one_of(places, "run-2").acquire("n2", reason="r")
    places.down = set()
    assert [lease.node for lease in book.held()] == ["n1"]


def test_no_part_is_kept_of_what_another_holds() -> None:
    places = Memory("a", "b", "c")
    first, second = one_of(places, "run-1"), one_of(places, "run-2")
    places.down = {"a"}
    first.acquire("n1", reason="r")
    places.down = set()
    with pytest.raises(Busy):
        second.acquire("n1", reason="r")
    assert places.cells["a"] == {}
    assert len(second.held()) == 1


def test_what_a_holder_left_at_a_place_that_was_away_blocks_nobody() -> None:
    places = Memory("a", "b", "c")
    first, second = one_of(places, "run-1"), one_of(places, "run-2")
    first.acquire("n1", reason="r")
    places.down = {"c"}
    first.release("n1")
    places.down = set()
    with pytest.raises(Busy):  # perhaps it is just taking the others
        second.acquire("n1", reason="r")
    places.beats.clear()
    places.down = {"b"}
    with pytest.raises(Busy):  # with b it would have most
        second.acquire("n1", reason="r")
    places.down = set()
    assert second.acquire("n1", reason="r").run == "run-2"
    assert [lease.run for lease in second.held()] == ["run-2"]


def test_a_place_that_was_made_anew_does_not_cost_the_lease_but_most_do() -> None:
    places = Memory("a", "b", "c")
    book = one_of(places, "run-1")
    book.acquire("n1", reason="r")
    places.cells["a"].clear()
    assert book.renew() == ()
    places.cells["b"].clear()
    assert [lease.node for lease in book.renew()] == ["n1"]
