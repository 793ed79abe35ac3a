"""The way to the nodes of a rollout: one exchange at a time a node, one attempt each. Trying again is the
coordinator's: it has to look first. Knows the engine; not what the steps mean.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from coreops.engine.engine import Engine
from coreops.engine.program import Program, Wait
from coreops.engine.steps import StepsProgram
from coreops.errors import CoreopsError, HostFailed
from coreops.events import Emit, Event, Progress
from coreops.model import Record, Segment, ShellStep, Target
from coreops.transport.protocol import Transport
from coreops.upgrade.cluster.asking import in_time

QUICK = 3.0
_PART = 5
"""Seconds a node that is expected back gets for each stage of a connection, or that part of a patience that is longer;
the next attempt comes soon.
"""


class StepFailed(HostFailed):
    """A step failed on a node; ``record`` is what the node said."""

    def __init__(self, what: str, record: Record, *, where: str) -> None:
        super().__init__(what, where=where)
        self.record = record


class Watched:
    """A program of others: keeps the record it failed with, and keeps it from stopping other nodes."""

    failed_fatally = False

    def __init__(self, inner: Program) -> None:
        self._inner = inner
        self.failed: Record | None = None

    def next(self) -> Segment | Wait | None:
        return self._inner.next()

    def feed(self, record: Record) -> None:
        if record.state in ("failed", "unknown"):
            self.failed = record
        self._inner.feed(record)

    def abandon(self) -> None:
        self._inner.abandon()

    @property
    def failure(self) -> str | None:
        """As the program says."""
        return self._inner.failure


class Nodes:
    """Connections to all nodes; those of two nodes may be used at the same time."""

    def __init__(
        self,
        targets: Mapping[str, Target],
        emit: Emit,
        *,
        run: str,
        limit_rate: int | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._targets = dict(targets)
        self._expected: frozenset[str] = frozenset()
        self._emit = emit
        self._engine = Engine(
            targets, self._pass_on, run=run, transport=transport, limit_rate=limit_rate, reconnect=0.0
        )
        self._parts: dict[str, tuple[int, int]] = {}
        self._keep = len(self._targets) <= self._engine.forks

    def run(self, node: str, program: Program) -> None:
        """Drive one node through a program. Raises StepFailed or another CoreopsError."""
        watched = Watched(program)
        outcome = self._engine.drive({node: watched})[node]
        if outcome.state != "done" or not self._keep:
            self._engine.disconnect(node)
        if outcome.error is None:
            return
        if watched.failed is not None and outcome.state == "failed":
            raise StepFailed(program.failure or outcome.error.what, watched.failed, where=node) from outcome.error
        raise outcome.error

    def ask(self, node: str, steps: Sequence[ShellStep]) -> dict[str, Record]:
        """One exchange; the records by step. Raises as ``run`` does; steps that may fail say ``ignore_errors``."""
        program = StepsProgram(steps)
        self.run(node, program)
        return program.records

    def ask_all(self, steps: Mapping[str, Sequence[ShellStep]]) -> dict[str, dict[str, Record] | CoreopsError]:
        """Ask several nodes at the same time; records also when a step failed, an error where there is no answer."""
        programs = {
            node: StepsProgram([replace(step, ignore_errors=True) for step in own]) for node, own in steps.items()
        }
        found: dict[str, dict[str, Record] | CoreopsError] = {}
        for node, outcome in self._engine.drive(programs).items():
            found[node] = outcome.error or programs[node].records
            if outcome.error is not None:
                self._engine.disconnect(node)
        return found

    def part_of(self, node: str, done: int, total: int) -> None:
        """What is sent to the node from now on is part of something of ``total`` bytes, of which ``done`` are there."""
        self._parts[node] = (done, total)
        self._emit(Progress(node, "stage", done, total))

    def hang_up(self, node: str) -> None:
        """End the connection, also under an exchange of another thread."""
        self._engine.disconnect(node)

    def expect_back(self, node: str) -> None:
        """The node reboots: what follows are new and quick attempts, until ``is_back``."""
        self._engine.targets[node] = in_time(self._targets[node], QUICK, _PART)
        self._expected |= {node}
        self._engine.disconnect(node)

    def is_back(self, node: str) -> None:
        """It answered."""
        self._engine.targets[node] = self._targets[node]
        self._expected -= {node}

    def expects(self, nodes: Collection[str]) -> bool:
        """Say whether there are any, and all of them reboot."""
        return bool(nodes) and self._expected.issuperset(nodes)

    def close(self) -> None:
        """Close all connections."""
        self._engine.close()

    def abort(self) -> None:
        """Kill what runs, leave."""
        self._engine.abort()

    def _pass_on(self, event: Event) -> None:
        """Of the engine's events only transfers mean something here."""
        if isinstance(event, Progress) and event.host in self._parts:
            done, total = self._parts[event.host]
            self._emit(replace(event, done=min(done + event.done, total), total=total))
