"""Who wakes whom: nothing is missed, nobody is woken for nothing."""

from __future__ import annotations

import threading

from coreops.engine.turns import Turns


def asleep(turns: Turns, host: str, others: tuple[str, ...], since: int) -> threading.Thread:
    thread = threading.Thread(target=turns.sleep, args=(host, others, since), daemon=True)
    thread.start()
    return thread


def test_a_move_before_falling_asleep_is_not_missed() -> None:
    turns = Turns()
    since = turns.now
    turns.move("b")
    turns.sleep("a", ("b",), since)
    assert turns.moved("a", ("b",), since)
    assert not turns.moved("a", ("b",), turns.now)


def test_only_those_who_wait_for_it_wake_up() -> None:
    turns = Turns()
    first, second = asleep(turns, "a", ("b", "c"), turns.now), asleep(turns, "x", ("y",), turns.now)
    turns.move("z")
    turns.move("b")
    first.join(60)
    assert not first.is_alive()
    assert second.is_alive()
    turns.move("y")
    second.join(60)
    assert not second.is_alive()


def test_a_sleeper_is_called_by_those_who_need_it() -> None:
    turns = Turns()
    since = turns.now
    sleeper = asleep(turns, "a", ("b",), since)
    turns.move("c", calls=("a",))
    sleeper.join(60)
    assert not sleeper.is_alive()
    turns.sleep("a", ("b",), since)  # called before it fell asleep


def test_in_the_end_all_wake_up() -> None:
    turns = Turns()
    sleeper = asleep(turns, "a", ("b",), turns.now)
    turns.end()
    sleeper.join(60)
    assert not sleeper.is_alive()
    turns.sleep("a", ("b",), turns.now)
