"""The simplest Program: a fixed list of steps in one segment, and the records that came back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from coreops.model import Record, Segment, Step


class StepsProgram:
    """Send ``steps`` once. ``records`` maps step ids to what the host reported; ``on_record`` sees each at once."""

    def __init__(
        self,
        steps: Sequence[Step],
        *,
        id: str = "steps",
        check: bool = False,
        diff: bool = False,
        user: str | None = None,
        on_record: Callable[[Record], None] = lambda record: None,
    ) -> None:
        self._segment: Segment | None = Segment(id, tuple(steps), user=user, check=check, diff=diff)
        self._ignored = {step.id for step in steps if step.ignore_errors}
        self._titles = {step.id: step.title for step in steps}
        self._on_record = on_record
        self.records: dict[str, Record] = {}
        self.failure: str | None = None
        self.failed_fatally = False

    def next(self) -> Segment | None:
        segment, self._segment = self._segment, None
        return segment if segment and segment.steps else None

    def abandon(self) -> None:
        """Nobody waits for a fixed list of steps."""

    def feed(self, record: Record) -> None:
        self.records[record.step] = record
        self._on_record(record)
        if record.state in ("failed", "unknown") and record.step not in self._ignored:
            said = record.stderr.decode(errors="backslashreplace").strip().splitlines()
            self.failure = f"{self._titles[record.step]}: {said[-1] if said else f'exit {record.rc}'}"
