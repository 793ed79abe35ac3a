"""One job at a time a node, many nodes at a time, and heavy jobs in nobody's way."""

from __future__ import annotations

import threading

import pytest

from coreops.upgrade.cluster.lanes import Lanes, beside

SOON = 10.0


def test_jobs_of_a_node_run_one_after_the_other_in_order() -> None:
    lanes, done, at_work = Lanes(), threading.Event(), threading.Lock()
    order: list[int] = []

    def job(number: int) -> None:
        assert at_work.acquire(blocking=False), "two jobs of one node at a time"
        order.append(number)
        at_work.release()
        if number == 49:
            done.set()

    for number in range(50):
        lanes.put("n1", lambda number=number: job(number), heavy=number % 3 == 0)
    assert done.wait(SOON)
    assert order == list(range(50))


def test_it_says_whether_something_is_under_way() -> None:
    lanes, go, done = Lanes(), threading.Event(), threading.Event()
    assert lanes.put("n1", lambda: go.wait(SOON) and None) is False
    assert lanes.put("n1", done.set) is True
    assert lanes.put("n2", lambda: None) is False
    go.set()
    assert done.wait(SOON)


def test_heavy_jobs_do_not_starve_the_others() -> None:
    lanes, go = Lanes(wide=2, heavy=2), threading.Event()
    for number in range(8):
        lanes.put(f"s{number}", lambda: go.wait(SOON) and None, heavy=True)
    quick = threading.Event()
    lanes.put("canary", quick.set)
    assert quick.wait(SOON)
    go.set()


def test_nodes_are_worked_on_at_the_same_time_as_far_as_the_pool_goes() -> None:
    lanes, meet, passed = Lanes(wide=3), threading.Barrier(3), threading.Semaphore(0)

    def job() -> None:
        meet.wait(SOON)
        passed.release()

    for name in ("n1", "n2", "n3"):
        lanes.put(name, job)
    assert all(passed.acquire(timeout=SOON) for _ in range(3))


def test_work_beside_is_waited_for_and_its_error_comes_out() -> None:
    go = threading.Event()
    answer, broken = beside(lambda: go.wait(SOON) and "yes"), beside(lambda: 1 // 0)
    go.set()
    assert answer() == "yes"
    with pytest.raises(ZeroDivisionError):
        broken()
