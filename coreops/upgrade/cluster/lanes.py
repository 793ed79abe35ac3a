"""One job at a time for each node, many nodes at a time; heavy jobs have workers of their own and starve nobody.

Knows threads, nothing of nodes. Workers are daemons: who leaves at once does not wait for a node that hangs.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

Job = Callable[[], None]
T = TypeVar("T")


def beside(work: Callable[[], T]) -> Callable[[], T]:
    """Begin some work; the function returned waits for it, and returns or raises what it did."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="coreops-beside", daemon=True).start()
    return future.result


class Pool:
    """At most ``size`` daemon threads, started as they are needed."""

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._busy = 0

    def put(self, job: Job) -> None:
        """Do it as soon as a worker is free. The job must not raise."""
        with self._lock:
            self._busy += 1
            if self._busy > self._threads and self._threads < self._size:
                self._threads += 1
                threading.Thread(target=self._work, name=f"{self._name}-{self._threads}", daemon=True).start()
        self._jobs.put(job)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                job()
            finally:
                with self._lock:
                    self._busy -= 1


class Lanes:
    """A queue for each node. ``wide`` and ``heavy``: how many jobs of each kind may run at a time."""

    def __init__(self, wide: int = 64, heavy: int = 16) -> None:
        self._pools = {False: Pool(wide, "coreops-node"), True: Pool(heavy, "coreops-stage")}
        self._lanes: dict[str, deque[tuple[Job, bool]]] = {}
        self._lock = threading.Lock()

    def put(self, node: str, job: Job, *, heavy: bool = False) -> bool:
        """Do ``job`` after what is under way for this node; say whether something is."""
        with self._lock:
            lane = self._lanes.setdefault(node, deque())
            lane.append((job, heavy))
            behind = len(lane) > 1
        if not behind:
            self._pools[heavy].put(lambda: self._next(node))
        return behind

    def _next(self, node: str) -> None:
        lane = self._lanes[node]
        try:
            lane[0][0]()
        finally:
            with self._lock:
                lane.popleft()
                heavy = lane[0][1] if lane else None
            if heavy is not None:
                self._pools[heavy].put(lambda: self._next(node))
