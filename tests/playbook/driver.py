"""Runs playbooks against nodes that exist only as a function: step in, record out. Counts segments, keeps events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

from coreops.engine.program import Wait
from coreops.events import Event, TaskFinished
from coreops.inventory import load_inventory
from coreops.model import Record, Segment, Step, TaskResult
from coreops.playbook import BoundPlay, HostProgram, bind, load_playbook

Answer = Callable[[str, Step], Record | str | None]
HOSTS = "[store]\nn1 port=1\nn2 port=2\n"


@dataclass
class Outcome:
    """What a run did. segments: per host, in order; waits: per host; counts and failure: per host, of the last play."""

    segments: dict[str, list[Segment]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    waits: dict[str, list[Wait]] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    failure: dict[str, str | None] = field(default_factory=dict)

    def ids(self, host: str = "n1") -> list[list[str]]:
        """The step ids of every segment."""
        return [[step.id for step in segment.steps] for segment in self.segments.get(host, [])]

    def tasks(self, host: str = "n1") -> list[TaskFinished]:
        return [event for event in self.events if isinstance(event, TaskFinished) and event.host == host]

    def results(self, host: str = "n1") -> dict[str, TaskResult]:
        """The last result of each task name."""
        return {event.name: event.result for event in self.tasks(host)}

    def said(self, host: str = "n1") -> list[str]:
        """What debug said."""
        return [
            event.result.message for event in self.tasks(host) if event.name == "debug" and not event.result.skipped
        ]


def bound(
    tmp_path: Path, playbook: str, *, hosts: str = HOSTS, files: Mapping[str, str] | None = None, **options: Any
) -> tuple[BoundPlay, ...]:
    """Write a playbook and an inventory, load and bind them."""
    (tmp_path / "hosts.ini").write_text(hosts)
    for name, text in (files or {}).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    path = tmp_path / "play.yml"
    path.write_text(dedent(playbook))
    options.setdefault("emit", lambda event: None)
    return bind(load_playbook(path), load_inventory(tmp_path / "hosts.ini"), **options)


def run(tmp_path: Path, playbook: str, answer: Answer | None = None, **options: Any) -> Outcome:
    """Run a whole playbook, hosts taking turns; ``answer`` says what a node replies (None: ok; a text: its stdout)."""
    outcome = Outcome()
    options.setdefault("limit", "n1")
    for play in bound(tmp_path, playbook, emit=outcome.events.append, **options):
        for batch in play.batches():
            drive({host: play.program(host, batch) for host in batch}, outcome, answer)
    return outcome


def drive(programs: dict[str, HostProgram], outcome: Outcome, answer: Answer | None) -> None:
    """Drive programs in turns until all have ended. Fails when nobody moves."""
    live = dict(programs)
    while live:
        moved = False
        for host, program in list(live.items()):
            segment = program.next()
            if segment is None:
                outcome.counts[host], outcome.failure[host] = program.counts, program.failure
                del live[host]
                moved = True
            elif isinstance(segment, Wait):
                outcome.waits.setdefault(host, []).append(segment)
            else:
                moved = True
                outcome.segments.setdefault(host, []).append(segment)
                exchange(host, segment, program, answer)
        assert moved, "all hosts wait"


def exchange(host: str, segment: Segment, program: HostProgram, answer: Answer | None) -> None:
    """Answer a segment as a node does: a failed step that is not ignored is the last."""
    for step in segment.steps:
        reply = answer(host, step) if answer else None
        record = reply if isinstance(reply, Record) else Record(step.id, "ok", stdout=(reply or "").encode())
        program.feed(record)
        if record.state in ("failed", "unknown") and not step.ignore_errors:
            return


def failing(*ids: str, stdout: bytes = b"") -> Answer:
    """A node on which these steps fail."""
    return lambda host, step: Record(step.id, "failed", 1, stdout, b"boom") if step.id in ids else None


def changing(*ids: str) -> Answer:
    """A node on which these steps change something."""
    return lambda host, step: Record(step.id, "changed") if step.id in ids else None
