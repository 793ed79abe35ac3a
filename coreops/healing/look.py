"""Looks at everything heal decides on: machines over SSH, etcd through a member that serves, registry, scheduler.

What does not answer is a finding, not an error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from typing import TypeVar

from coreops.engine.engine import Engine
from coreops.engine.program import Program
from coreops.engine.steps import StepsProgram
from coreops.errors import CoreopsError, InterruptedRun, UnreachableError
from coreops.events import Emit
from coreops.healing.seen import Agent, Machine, Member, Seen
from coreops.model import ShellStep, Target
from coreops.registration.readers import Registry
from coreops.schedulers.protocol import Node as SchedulerNode
from coreops.store import etcdctl, members
from coreops.store.audit import Look, nodes
from coreops.store.observe import Node
from coreops.store.wanted import Wanted

T = TypeVar("T")
_TIMEOUT = 5.0


class Eyes:
    """Looks again and again, over connections of its own, and remembers since when nothing was heard of a machine.

    leases: who has which node in hand; agents: the scheduler's nodes, and its name. Both may raise UnreachableError.
    """

    def __init__(
        self,
        store: Wanted,
        targets: Mapping[str, Target],
        registry: Registry,
        leases: Callable[[], Mapping[str, str]],
        agents: Callable[[], tuple[str, tuple[SchedulerNode, ...]]],
        tell: Callable[[str], None],
        *,
        run: str,
        emit: Emit = lambda event: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        quick = {name: replace(t, connect_timeout=min(_TIMEOUT, t.connect_timeout)) for name, t in targets.items()}
        self.engine = Engine(quick, emit, run=run, reconnect=0.0)
        self._store = {member.name: member for member in store.members}
        self._registry = registry
        self._leases = leases
        self._agents = agents
        self._tell = tell
        self._clock = clock
        self._numbers = count(1)
        self._since: dict[str, float] = {}

    def close(self) -> None:
        """Close all connections."""
        self.engine.close()

    def look(self) -> Seen:
        """Everything at once. Raises InterruptedRun."""
        found, why = self._machines()
        entries = self._members(found)
        known = self._registered() if entries is not None else None
        registered = known or frozenset()
        # Without a quorum there is no ledger either, and no upgrade gets any further.
        unknown: Mapping[str, str] = dict.fromkeys(self.engine.targets, "somebody")
        leased: Mapping[str, str] = {}
        if entries is not None:
            leased = self._asked(self._leases, unknown, "who holds leases is not known")
        none: tuple[str, tuple[SchedulerNode, ...]] = ("", ())
        name, agents = self._asked(self._agents, none, "the scheduler does not answer")
        machines = tuple(
            Machine(
                host=host,
                store=host in self._store,
                answers=host not in why,
                why=why.get(host, ""),
                registered=host in registered,
                data=host not in found or found[host].data,
                active=host in found and found[host].active,
                leased=leased.get(host, ""),
            )
            for host in self.engine.targets
        )
        seen = Seen(
            machines=machines,
            members=entries,
            agents=tuple(
                Agent(
                    name=node.name,
                    host=node.host if node.host in self.engine.targets else "",
                    ready=node.state == "ready",
                    state=node.state,
                )
                for node in agents
            ),
            registered=registered,
            scheduler=name,
        )
        # While nobody can say who is registered, silence over SSH proves nothing.
        return self._timed(seen, counts=known is not None)

    def _machines(self) -> tuple[dict[str, Node], dict[str, str]]:
        """What the store's nodes say; of all hosts that do not answer, why."""
        programs: dict[str, Program] = {}
        for host in self.engine.targets:
            word = f"heal{next(self._numbers)}"
            if host in self._store:
                programs[host] = Look(self._store[host], id=word)
            else:
                programs[host] = StepsProgram([ShellStep(id=word, title="see whether it answers", probe=":")], id=word)
        why: dict[str, str] = {}
        for host, outcome in self.engine.drive(programs).items():
            if isinstance(outcome.error, InterruptedRun):
                raise outcome.error
            if outcome.error is not None:
                self.engine.disconnect(host)
                why[host] = outcome.error.what
        found = nodes([program for program in programs.values() if isinstance(program, Look)])
        return {host: node for host, node in found.items() if host not in why}, why

    def _members(self, found: Mapping[str, Node]) -> tuple[Member, ...] | None:
        """The member list, as the most advanced member that serves tells it; the others are asked through it."""
        wanted = list(self._store.values())
        state = members.membership(wanted, found, frozenset())
        if state is None:
            return None
        host_of = {entry.id: host for host, entry in state.of_host.items()}
        rest = {url: entry.id for entry in state.entries if entry.id not in state.healthy for url in entry.client_urls}
        healthy = state.healthy | self._healthy(found, rest)
        return tuple(
            Member(
                id=entry.id,
                name=entry.name,
                host=host_of.get(entry.id, ""),
                voter=not entry.learner,
                healthy=entry.id in healthy,
                urls=entry.client_urls,
            )
            for entry in state.entries
        )

    def _healthy(self, found: Mapping[str, Node], urls: Mapping[str, int]) -> frozenset[int]:
        """Of members that were not looked at, or not well then, those that serve."""
        serving = (each for each in found.values() if each.healthy and each.status and not each.status.learner)
        speaker = next((each.host for each in serving), None)
        if not urls or speaker is None:
            return frozenset()
        step = etcdctl.health(f"health{next(self._numbers)}", list(urls))
        program = StepsProgram([replace(step, ignore_errors=True)], id=step.id)
        outcome = self.engine.drive({speaker: program})[speaker]
        if isinstance(outcome.error, InterruptedRun):
            raise outcome.error
        record = program.records.get(step.id)
        try:
            told = etcdctl.parse_health(record.stdout.decode(errors="replace")) if record else {}
        except ValueError:
            told = {}
        return frozenset(urls[url] for url, good in told.items() if good and url in urls)

    def _registered(self) -> frozenset[str] | None:
        try:
            return frozenset(node.host for node in self._registry.read().nodes.values())
        except UnreachableError as error:
            self._tell(f"who is registered is not known: {error.what}")
            return None

    def _asked(self, ask: Callable[[], T], nothing: T, what: str) -> T:
        try:
            return ask()
        except InterruptedRun:
            raise
        except CoreopsError as error:
            self._tell(f"{what}: {error.what}")
            return nothing

    def _timed(self, seen: Seen, *, counts: bool) -> Seen:
        now, alive = self._clock(), seen.alive
        for machine in seen.machines:
            if machine.host in alive or not counts:
                self._since.pop(machine.host, None)
            else:
                self._since.setdefault(machine.host, now)
        machines = (replace(m, silent=now - self._since.get(m.host, now)) for m in seen.machines)
        return replace(seen, machines=tuple(machines))
