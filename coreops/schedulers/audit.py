"""Holds a talk with a host, and asks at the same time what a playbook would change there. Knows programs; no engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Generic, TypeVar

from coreops.engine.program import Program, Wait
from coreops.model import Record, Segment, ShellStep
from coreops.schedulers.protocol import Pause, Talk

T = TypeVar("T")


class Audit(Generic[T]):
    """A Program: each of the talk's steps travels together with what the playbook's program has to send next.

    What comes of the playbook is its own business. pause: waits for the talk. name: makes an id that no other step has.
    """

    failure: str | None = None
    failed_fatally = False

    def __init__(
        self, talk: Talk[T], inner: Program | None, *, pause: Callable[[Pause], None], name: Callable[[str], str]
    ) -> None:
        self._talk = talk
        self._inner = inner
        self._pause = pause
        self._name = name
        self._over = False
        self._asked: ShellStep | None = None
        self._asking = ""
        self._answer: Record | None = None
        self._held: Segment | Wait | None = None
        self.found: list[T] = []

    def next(self) -> Segment | Wait | None:
        step = None if self._over else self._say()
        inner, self._held = self._held, None
        if inner is None and self._inner and self._inner.failure is None:
            inner = self._inner.next()
        if step is None:
            return inner
        if isinstance(inner, Segment) and inner.user is None:
            return replace(inner, steps=(step, *inner.steps))
        self._held = inner
        return Segment(f"talk-{step.id}", (step,))

    def feed(self, record: Record) -> None:
        if self._asked is not None and self._asking == record.step:
            self._answer = replace(record, step=self._asked.id)
        elif self._inner:
            self._inner.feed(record)

    def abandon(self) -> None:
        """Others may wait for the playbook's program."""
        self._talk.close()
        if self._inner:
            self._inner.abandon()

    @property
    def inner_failure(self) -> str | None:
        """Why the playbook's part failed, if it did."""
        return self._inner.failure if self._inner else None

    def _say(self) -> ShellStep | None:
        """The talk's next step, ready to travel; None when it is over."""
        while True:
            answer, self._answer, self._asked = self._answer, None, None
            try:
                said = self._talk.send(answer)
            except StopIteration as end:
                self._over = True
                self.found.append(end.value)
                return None
            if isinstance(said, Pause):
                self._pause(said)
                continue
            self._asked, self._asking = said, self._name(said.id)
            return replace(said, id=self._asking, ignore_errors=True, in_check=True)
