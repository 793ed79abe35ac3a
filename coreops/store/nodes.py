"""The nodes of one run, as bootstrap talks to them: look at all of them, run a few steps, run a part of the playbook.

The only file of this package that drives the engine. Knows nothing of etcd's rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from coreops.engine.engine import Engine, HostOutcome
from coreops.engine.program import Program
from coreops.engine.steps import StepsProgram
from coreops.errors import CoreopsError, HostFailed, InterruptedRun, UnreachableError
from coreops.events import Emit, Event, TaskFinished
from coreops.model import Record, Step
from coreops.store.audit import Look, nodes
from coreops.store.cluster import Member
from coreops.store.observe import Node

if TYPE_CHECKING:
    from coreops.inventory import Inventory
    from coreops.playbook import BoundPlay, Playbook


class Counter:
    """Counts tasks a host, and passes events on. ``ok`` includes ``changed``, as Ansible has it."""

    def __init__(self, emit: Emit | None) -> None:
        self.ok: dict[str, int] = {}
        self.changed: dict[str, int] = {}
        self._emit = emit

    def __call__(self, event: Event) -> None:
        if isinstance(event, TaskFinished):
            if not event.result.failed and not event.result.skipped:
                self.ok[event.host] = self.ok.get(event.host, 0) + 1
            if event.result.changed:
                self.changed[event.host] = self.changed.get(event.host, 0) + 1
        if self._emit:
            self._emit(event)


class Nodes:
    """Talks to the nodes of one inventory through one engine."""

    def __init__(self, engine: Engine, playbook: Playbook, inventory: Inventory, emit: Emit) -> None:
        self._engine = engine
        self._playbook = playbook
        self._inventory = inventory
        self._emit = emit
        self._numbers = count(1)
        self.exchanges: dict[str, int] = {}
        self.ok: dict[str, int] = {}
        self.changed: dict[str, int] = {}

    def look(self, members: Sequence[Member], wait: Mapping[str, int] | None = None) -> dict[str, Node]:
        """Ask every member's node how it is. ``wait``: seconds that a node may wait until its member is healthy.

        Raises when one cannot be asked.
        """
        waits = wait or {}
        looks = {m.name: Look(m, id=f"look{next(self._numbers)}", wait=waits.get(m.name, 0)) for m in members}
        self._check(self._drive(looks))
        return nodes(list(looks.values()))

    def clocks(self, members: Sequence[Member], found: Mapping[str, Node]) -> dict[str, Node]:
        """Ask the nodes what time it is; nothing else is asked anew. Raises when one cannot be asked."""
        looks = {m.name: Look(m, id=f"time{next(self._numbers)}", known=found[m.name]) for m in members}
        self._check(self._drive(looks))
        return nodes(list(looks.values()))

    def audit(
        self, members: Sequence[Member], extra: Mapping[str, Any], *, diff: bool, show: bool
    ) -> tuple[dict[str, Node], dict[str, int], dict[str, str]]:
        """Look, and let the playbook say what it would change: nodes, changes a host, failures a host.

        One exchange a host. Raises UnreachableError.
        """
        counter = Counter(self._emit if show else None)
        plays = self._bind(extra, tags=(), hosts=None, check=True, diff=diff, emit=counter)
        looks = {m.name: Look(m, _program(plays, m.name)) for m in members}
        self._check(self._drive(looks))
        self.ok = counter.ok
        failed = {name: look.inner_failure for name, look in looks.items() if look.inner_failure}
        return nodes(list(looks.values())), counter.changed, failed

    def play(self, tags: Sequence[str], hosts: Sequence[str], extra: Mapping[str, Any]) -> None:
        """Run the tasks with these tags on these hosts. Raises when a host failed."""
        if not hosts:
            return
        counter = Counter(self._emit)
        plays = self._bind(extra, tags=tags, hosts=hosts, check=False, diff=False, emit=counter)
        for bound in plays:
            self._check(self._drive({host: bound.program(host, bound.hosts) for host in bound.hosts}))
        for host, number in counter.changed.items():
            self.changed[host] = self.changed.get(host, 0) + number

    def run(self, steps: Mapping[str, Sequence[Step]]) -> dict[str, dict[str, Record]]:
        """Run steps, host by host at the same time; the records by host and step. Raises when a host failed."""
        programs = {host: StepsProgram(list(own), id=f"s{next(self._numbers)}") for host, own in steps.items()}
        self._check(self._drive(programs))
        return {host: program.records for host, program in programs.items()}

    def name(self, word: str) -> str:
        """A step id that this run has not used yet."""
        return f"{word}{next(self._numbers)}"

    def _drive(self, programs: Mapping[str, Program]) -> dict[str, HostOutcome]:
        outcomes = self._engine.drive(programs)
        for host, outcome in outcomes.items():
            self.exchanges[host] = self.exchanges.get(host, 0) + outcome.exchanges
        return outcomes

    def _bind(
        self,
        extra: Mapping[str, Any],
        *,
        tags: Sequence[str],
        hosts: Sequence[str] | None,
        check: bool,
        diff: bool,
        emit: Emit,
    ) -> tuple[BoundPlay, ...]:
        from coreops.playbook import bind

        return bind(
            self._playbook,
            self._inventory,
            extra_vars=extra,
            tags=tuple(tags),
            limit=None if hosts is None else ",".join(hosts),
            check=check,
            diff=diff,
            emit=emit,
            prefix="" if check else f"store{next(self._numbers)}.",
        )

    @staticmethod
    def _check(outcomes: Mapping[str, HostOutcome]) -> None:
        """Raise one error for all hosts that did not end well: interrupted before unreachable before failed."""
        bad = {host: o.error for host, o in outcomes.items() if o.state != "done" and o.error is not None}
        for kind in (InterruptedRun, UnreachableError, CoreopsError):
            hosts = [host for host, error in bad.items() if isinstance(error, kind)]
            if hosts:
                raise together(hosts, bad[hosts[0]])


def together(hosts: Sequence[str], first: CoreopsError) -> CoreopsError:
    """One error in the name of all its hosts; the first one's words."""
    where = ", ".join(hosts) if len(hosts) > 1 else (first.where or hosts[0])
    if isinstance(first, UnreachableError):
        return UnreachableError(first.kind, first.what, where=where, why=first.why, next=first.next)
    if isinstance(first, InterruptedRun):
        return InterruptedRun(first.what, where=where, why=first.why, next="run the same command again: it continues")
    kind = CoreopsError if type(first) is CoreopsError else HostFailed
    return kind(first.what, where=where, why=first.why, next=first.next)


def _program(plays: Sequence[BoundPlay], host: str) -> Program | None:
    """The host's part of the playbook; bootstrap.yml is one play, so that a look at it is one exchange."""
    return next((play.program(host, play.hosts) for play in plays if host in play.hosts), None)
