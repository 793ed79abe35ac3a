"""Where a host stands in a play: which task is next, and which handlers. Pure; knows nothing of results.

A place is a small frozen Mark, so that the program can return to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from coreops.frozen import frozen
from coreops.playbook.plays import Task


@frozen
class Mark:
    """index: of the next task. ran: handlers already begun in the flush under way; None: no flush. flushes: so far."""

    index: int = 0
    ran: frozenset[int] | None = None
    flushes: int = 0


class Walk:
    """The way through tasks and handlers, in order."""

    def __init__(self, tasks: Sequence[Task], handlers: Sequence[Task]) -> None:
        self.mark = Mark()
        self._tasks = tasks
        self._handlers = handlers
        self._notified: set[int] = set()

    @property
    def flushing(self) -> bool:
        return self.mark.ran is not None

    def notify(self, handlers: Iterable[int]) -> None:
        """Note handlers to run at the next flush."""
        self._notified.update(handlers)

    def look(self) -> Task | None:
        """The next task or handler; the flush itself when it is to begin or to end; None at the end of the play."""
        ran = self.mark.ran
        if ran is not None and (waiting := self._notified - ran):
            return self._handlers[min(waiting)]
        return self._tasks[self.mark.index] if self.mark.index < len(self._tasks) else None

    def flush(self) -> None:
        """Begin a flush when handlers wait, else go on behind it."""
        ran = self.mark.ran
        if ran is None and self._notified:
            self.mark = replace(self.mark, ran=frozenset(), flushes=self.mark.flushes + 1)
            return
        self._notified -= ran or frozenset()
        self.mark = replace(self.mark, index=self.mark.index + 1, ran=None)

    def step(self) -> None:
        """Go past a task."""
        self.mark = replace(self.mark, index=self.mark.index + 1)

    def end(self) -> None:
        """Go to the end of the play; handlers that were notified are not run."""
        self.mark = replace(self.mark, index=len(self._tasks), ran=None)

    def after(self, task: Task) -> Mark:
        """The place behind a task or handler."""
        if task.handler:
            return replace(self.mark, ran=(self.mark.ran or frozenset()) | {task.index})
        return replace(self.mark, index=self.mark.index + 1)

    def place(self, task: Task) -> tuple[int, int]:
        """Where the task stands, comparable between hosts: its index, and below a flush the handler's."""
        return (self.mark.index, task.index if task.handler else -1)

    def id_of(self, task: Task, play: str) -> str:
        """An id that is the same in every run of this playbook, and unique within one."""
        if not task.handler:
            return f"{play}.t{task.index}"
        again = f".f{self.mark.flushes}" if self.mark.flushes > 1 else ""
        return f"{play}.h{task.index}{again}"
