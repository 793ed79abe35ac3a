"""Every subscriber gets every event, one at a time, and none can stop a run."""

from __future__ import annotations

import threading

import pytest

from coreops.events import Event, Notice
from coreops.report import compose


class Collect:
    def __init__(self) -> None:
        self.seen: list[Event] = []
        self.closed = 0
        self.inside = 0
        self.overlaps = 0

    def __call__(self, event: Event) -> None:
        self.inside += 1
        self.overlaps += self.inside > 1
        self.seen.append(event)
        self.inside -= 1

    def close(self) -> None:
        self.closed += 1


class Broken(Collect):
    def __call__(self, event: Event) -> None:
        super().__call__(event)
        raise OSError("disk full")


def test_order_and_close() -> None:
    one, two = Collect(), Collect()
    with compose(one, two) as emit:
        emit(Notice("a"))
        emit(Notice("b"))
        emit.close()
    assert one.seen == two.seen == [Notice("a"), Notice("b")]
    assert one.closed == two.closed == 1


def test_one_event_at_a_time() -> None:
    collect = Collect()
    emit = compose(collect)
    threads = [threading.Thread(target=lambda: [emit(Notice("x")) for _ in range(500)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(collect.seen), collect.overlaps) == (4000, 0)


def test_a_broken_subscriber_is_dropped_and_its_error_raised_at_the_end() -> None:
    broken, whole = Broken(), Collect()
    emit = compose(broken, whole)
    emit(Notice("a"))
    emit(Notice("b"))
    assert (len(broken.seen), len(whole.seen)) == (1, 2)
    with pytest.raises(OSError, match="disk full"):
        emit.close()
    assert whole.closed == 1


def test_the_error_under_way_matters_more() -> None:
    def run() -> None:
        with compose(Broken()) as emit:
            emit(Notice("a"))
            raise ValueError("first")

    with pytest.raises(ValueError, match="first") as caught:
        run()
    assert caught.value.__notes__ == ["while closing the report: OSError('disk full')"]
