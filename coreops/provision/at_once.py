"""The same work for many machines at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def at_once(work: Callable[[Item], Result], items: Sequence[Item], forks: int) -> list[Result]:
    """Do the work for each item, ``forks`` at a time; interrupted, finish what has begun and begin no more."""
    if not items:
        return []
    with ThreadPoolExecutor(min(forks, len(items))) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
