"""Looks at the store all the time, for those who look on: the live table and the timeline. Decides nothing; the gates
ask for themselves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from coreops.errors import CoreopsError
from coreops.events import Emit, StoreHealth
from coreops.model import Record, ShellStep
from coreops.store.cluster import Member
from coreops.upgrade.gates import etcd

EVERY = 2.0
"""Seconds between two looks."""
_SHARE = 20
"""Of the time, a look may take one part of so many: nodes that answer slowly have other things to do."""


class StoreWatch:
    """Tells of the store whenever it has changed, while open.

    ask: runs steps on any host of the store. answer: seconds that a member may take for one answer.
    """

    def __init__(
        self,
        ask: Callable[[Sequence[ShellStep]], Mapping[str, Record]],
        members: Sequence[Member],
        emit: Emit,
        every: float = EVERY,
        answer: float = etcd.ANSWER,
    ) -> None:
        self._ask = ask
        self._members = members
        self._emit = emit
        self._every = every
        self._answer = answer
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="coreops-store", daemon=True)

    def __enter__(self) -> Self:
        if self._members:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=self._every + 10.0)

    def _watch(self) -> None:
        told: StoreHealth | None = None
        pause = self._every
        while not self._ended.wait(pause):
            began = time.monotonic()
            found = self._look()
            pause = max(self._every, _SHARE * (time.monotonic() - began))
            if found != told:
                told = found
                self._emit(found)

    def _look(self) -> StoreHealth:
        step = ShellStep(
            id="store",
            title="look at the store",
            probe=etcd.script("", self._members, answer=self._answer),
            timeout=20.0 + len(self._members) * self._answer,
            ignore_errors=True,
        )
        try:
            said = self._ask([step])["store"].stdout.decode("utf-8", errors="replace")
        except CoreopsError:
            return StoreHealth(len(self._members), 0)
        pairs = (line.partition(" ") for line in said.splitlines())
        view = etcd.read("", self._members, {key: value for key, _, value in pairs}).view
        return StoreHealth(len(view.voters), len(view.healthy & view.voters), view.leader or "")
