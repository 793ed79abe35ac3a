"""Hands every event to several subscribers, one event at a time, and outlives a subscriber that fails.

A full disk under a log file or a reader that left the pipe must not stop a run that changes machines: the subscriber is
dropped, the run goes on, and ``close`` raises what went wrong.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Protocol, Self

from coreops.events import Event


class Subscriber(Protocol):
    """Takes events. ``close`` is called once, after the last event, also when the run broke off."""

    def __call__(self, event: Event) -> None: ...

    def close(self) -> None: ...


class Report:
    """An ``Emit`` over subscribers; thread-safe; a context manager that closes them."""

    def __init__(self, *subscribers: Subscriber) -> None:
        self._lock = threading.Lock()
        self._subscribers = list(subscribers)
        self._errors: list[Exception] = []

    def __call__(self, event: Event) -> None:
        with self._lock:
            for subscriber in tuple(self._subscribers):
                try:
                    subscriber(event)
                except Exception as error:
                    self._errors.append(error)
                    self._subscribers.remove(subscriber)

    def close(self) -> None:
        """Close all subscribers; raise the first error that any of them had. Idempotent."""
        with self._lock:
            while self._subscribers:
                try:
                    self._subscribers.pop(0).close()
                except Exception as error:
                    self._errors.append(error)
            errors, self._errors = self._errors, []
        if errors:
            raise errors[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if error is None:
            self.close()
            return
        try:
            self.close()
        except Exception as second:  # the error under way matters more, but this one is not lost
            error.add_note(f"while closing the report: {second!r}")


def compose(*subscribers: Subscriber) -> Report:
    """Return an Emit that serves all subscribers in the given order."""
    return Report(*subscribers)
