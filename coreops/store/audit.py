"""Looks at a node and at everything the playbook would change there, in one exchange. Knows programs; no engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from coreops.engine.program import Program, Wait
from coreops.model import Record, Segment
from coreops.store import observe
from coreops.store.cluster import Member
from coreops.store.observe import Node


class Look:
    """A Program that asks a node the observing question, then lets a playbook's program have its say, if there is one.

    The playbook's first segment travels together with the question. What comes of the playbook is its own business:
    ``failure`` here is only a question that could not be answered.

    known: what is known of the node; then only its clock is asked for.
    """

    def __init__(
        self,
        member: Member,
        inner: Program | None = None,
        *,
        id: str = "look",
        wait: int = 0,
        known: Node | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.node = known
        self.failure: str | None = None
        self._member = member
        self._inner = inner
        self._id = id
        self._wait = wait
        self._known = known
        self._clock = clock
        self._sent = 0.0
        self._asked = False
        self._held: Segment | Wait | None = None

    def next(self) -> Segment | Wait | None:
        inner, self._held = self._held, None
        if inner is None and self._inner and self._inner.failure is None:
            inner = self._inner.next()
        if self._asked:
            return inner
        self._asked = True
        self._sent = self._clock()
        question = observe.time_step() if self._known else observe.step(self._member, self._wait)
        if isinstance(inner, Segment) and inner.user is None:
            return replace(inner, steps=(question, *inner.steps))
        self._held = inner
        return Segment(self._id, (question,))

    def feed(self, record: Record) -> None:
        if record.step == observe.STEP:
            now = self._clock()
            if self._known:
                self.node = observe.with_time(self._known, record, self._sent, now)
            else:
                self.node = observe.parse(self._member.name, record, self._sent, now)
        elif self._inner:
            self._inner.feed(record)

    @property
    def failed_fatally(self) -> bool:
        """Never: every node is looked at, whatever the others say."""
        return False

    def abandon(self) -> None:
        """Tell the playbook's program, others may wait for it."""
        if self._inner:
            self._inner.abandon()

    @property
    def inner_failure(self) -> str | None:
        """Why the playbook's part failed, if it did."""
        return self._inner.failure if self._inner else None


def nodes(looks: Sequence[Look]) -> dict[str, Node]:
    """What was seen, by host."""
    return {look.node.host: look.node for look in looks if look.node is not None}
