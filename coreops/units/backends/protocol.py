"""What ``coreops units`` asks of a scheduler. Talks may be begun again from their start, as all talks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from coreops.schedulers.protocol import Pause, Talk
from coreops.units.loading import Loaded
from coreops.units.rows import Row, Status


class Backend(Protocol):
    """Units on one cluster. Runs where questions about the whole cluster do."""

    def submit(self, units: Sequence[Loaded]) -> Talk[None]:
        """Have them there, without starting those that do not run."""
        ...

    def start(self, units: Sequence[Loaded], names: Collection[str]) -> Talk[None]:
        """Submit and run units; run others that were submitted."""
        ...

    def stop(self, names: Collection[str]) -> Talk[None]:
        """Stop them; they can be started again."""
        ...

    def destroy(self, names: Collection[str]) -> Talk[None]:
        """Stop and forget them; pauses until nothing of them runs. What is not there is gone already."""
        ...

    def status(self) -> Talk[Status]:
        """Every unit that was submitted."""
        ...


def settled(backend: Backend, wanted: Collection[str]) -> Talk[tuple[Row, ...]]:
    """Pauses until what is wanted of these units is done; their rows then."""
    while True:
        found = yield from backend.status()
        rows = tuple(row for row in found.rows if row.name in wanted)
        left = tuple(f"{row.name}{f' on {row.host}' if row.host else ''}: {row.state}" for row in rows if not row.done)
        if not left:
            return rows
        yield Pause(left)
