"""Plays, batches and their failure budgets: the only barriers a run has.

Knows a play only by the protocol below; ``coreops.playbook.BoundPlay`` fits it. Unreachable counts as failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from coreops.engine.engine import Engine, HostOutcome
from coreops.engine.program import Program
from coreops.errors import ExitCode
from coreops.events import Emit, PlayStarted


class Play(Protocol):
    """What the engine needs to know of a play."""

    @property
    def name(self) -> str: ...
    @property
    def hosts(self) -> tuple[str, ...]: ...
    @property
    def any_errors_fatal(self) -> bool: ...
    @property
    def max_fail_percentage(self) -> float | None: ...
    def batches(self) -> Sequence[tuple[str, ...]]: ...
    def program(self, host: str, batch_hosts: tuple[str, ...]) -> Program: ...


@dataclass(slots=True)
class PlaysOutcome:
    """The last outcome of every host, and whether the run ended early."""

    hosts: dict[str, HostOutcome] = field(default_factory=dict)
    stopped: str = ""
    interrupted: bool = False

    @property
    def exit_code(self) -> ExitCode:
        return exit_code(self.hosts, interrupted=self.interrupted)


def exit_code(hosts: Mapping[str, HostOutcome], *, interrupted: bool) -> ExitCode:
    """The code for a whole run. interrupted: by the operator, not because another host's failure was fatal."""
    states = {outcome.state for outcome in hosts.values()}
    if interrupted and "interrupted" in states:
        return ExitCode.INTERRUPTED
    if states & {"failed", "interrupted"}:
        return ExitCode.FAILED
    return ExitCode.UNREACHABLE if "unreachable" in states else ExitCode.DONE


def run_plays(engine: Engine, plays: Sequence[Play], emit: Emit) -> PlaysOutcome:
    """Run plays in order, each in its batches. A host that failed takes no part in later plays (as in Ansible)."""
    outcome = PlaysOutcome()
    for play in plays:
        batches = play.batches()
        for number, batch in enumerate(batches, start=1):
            hosts = tuple(host for host in batch if outcome.hosts.get(host, _DONE).state == "done")
            if not hosts:
                continue
            emit(PlayStarted(play.name, hosts, number, len(batches)))
            programs = {host: play.program(host, hosts) for host in hosts}
            ended = engine.drive(programs)
            outcome.hosts.update(ended)
            outcome.interrupted = engine.interrupted
            fatal = any(program.failed_fatally for program in programs.values())
            outcome.stopped = _why_stop(play, len(hosts), ended, fatal) or ("interrupted" if engine.interrupted else "")
            if outcome.stopped:
                return outcome
    return outcome


_DONE = HostOutcome("done")


def _why_stop(play: Play, size: int, ended: Mapping[str, HostOutcome], fatal: bool) -> str:
    bad = sum(outcome.state in ("failed", "unreachable") for outcome in ended.values())
    if not bad:
        return ""
    if play.any_errors_fatal or fatal:
        return f"{play.name}: any_errors_fatal"
    if play.max_fail_percentage is not None and bad * 100 / size > play.max_fail_percentage:
        return f"{play.name}: {bad} of {size} hosts failed, more than max_fail_percentage {play.max_fail_percentage:g}"
    return f"{play.name}: all hosts of the batch failed" if bad == size else ""
