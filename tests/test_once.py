"""What several threads ask at once is found out once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from coreops.once import found_once


def test_threads_that_ask_together_have_it_found_out_once() -> None:
    together, looked = Barrier(4), []

    @found_once(maxsize=4)
    def double(number: int) -> int:
        looked.append(number)
        return 2 * number

    def ask(number: int) -> int:
        together.wait(timeout=60)
        return double(number)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, (1, 1, 1, 1))) == [2, 2, 2, 2]
    assert looked == [1]
    assert double(2) == 4
    assert double(1) == 2
    assert looked == [1, 2]


def test_what_could_not_be_found_out_is_tried_again() -> None:
    tried = []

    @found_once(maxsize=4)
    def fail(number: int) -> int:
        tried.append(number)
        raise ValueError(number)

    for _ in range(2):
        with pytest.raises(ValueError, match="7"):
            fail(7)
    assert tried == [7, 7]
