"""Drives many hosts through their programs: a sliding window, no barrier, one thread a host in the window.

Knows programs, sessions and events; no playbook, no module. Sessions stay open between calls of ``drive`` as long as
all hosts fit into the window.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Literal, Protocol, Self

from coreops.engine.limits import Pace, default_forks
from coreops.engine.program import Program, Wait
from coreops.engine.session import HostSession
from coreops.engine.turns import Turns
from coreops.errors import CoreopsError, HostFailed, InterruptedRun, UnreachableError
from coreops.events import Emit, HostFinished, HostUnreachable
from coreops.frozen import frozen
from coreops.model import Record, Target
from coreops.transport import transport_for
from coreops.transport.protocol import Transport

HostState = Literal["done", "failed", "unreachable", "interrupted"]


@frozen
class HostOutcome:
    """How a host ended a ``drive``. exchanges: segments sent in it."""

    state: HostState
    error: CoreopsError | None = None
    exchanges: int = 0


class Keeper(Protocol):
    """What a run remembers (``engine.journal``)."""

    id: str

    def record(self, host: str, record: Record, *, secret: bool) -> None:
        """Note a record before the program sees it."""

    def replay(self, host: str, program: Program) -> Program:
        """Wrap a program so that records of an earlier attempt are not asked for again."""


class Engine:
    """Connections to ``targets`` for the length of one run.

    limit_rate: bytes a second of content, for all together. reconnect: seconds to try again after a lost connection.
    """

    def __init__(
        self,
        targets: Mapping[str, Target],
        emit: Emit,
        *,
        run: str,
        transport: Transport | None = None,
        forks: int | None = None,
        journal: Keeper | None = None,
        limit_rate: int | None = None,
        reconnect: float | None = None,
    ) -> None:
        self._reconnect = reconnect
        self._pace = Pace(limit_rate) if limit_rate else lambda size: None
        self.targets = dict(targets)
        self.forks = forks or default_forks()
        self.interrupted = False
        self.aborted = False
        self._emit = emit
        self._run = run
        self._journal = journal
        self._transport = transport
        self._transports: dict[str, Transport] = {}
        self._sessions: dict[str, HostSession] = {}
        self._lock = threading.Lock()
        self._turns = Turns()
        self._forget = True

    def drive(self, programs: Mapping[str, Program]) -> dict[str, HostOutcome]:
        """Run every host's program to its end; return how each ended, in the order given.

        A program that failed fatally stops the others after their current step.
        """
        outcomes: dict[str, HostOutcome] = {}
        window = threading.Semaphore(self.forks)
        stop = threading.Event()
        threads: list[threading.Thread] = []
        crowded = len(programs) > self.forks
        bugs: list[Exception] = []

        def work(host: str, program: Program) -> None:
            try:
                outcomes[host] = self._drive_host(host, program, window, outcomes, crowded)
                if program.failed_fatally and not stop.is_set():
                    stop.set()
                    self._each(HostSession.stop)
            except Exception as bug:
                bugs.append(bug)
            finally:
                if crowded:
                    self._end_session(host)
                window.release()
                self._turns.move(host)

        for host, program in programs.items():
            window.acquire()
            if stop.is_set() or self.interrupted:
                window.release()
                outcomes[host] = HostOutcome("interrupted", InterruptedRun("not started", where=host))
                self._emit(HostFinished(host, "interrupted"))
                continue
            thread = threading.Thread(target=work, args=(host, program), name=f"coreops-{host}", daemon=True)
            threads.append(thread)
            thread.start()
        for thread in threads:
            thread.join()
        if bugs:
            self._forget = False
            raise bugs[0]
        if any(outcome.state != "done" for outcome in outcomes.values()):
            self._forget = False
        return {host: outcomes[host] for host in programs}

    def stop(self) -> None:
        """Finish the current step on every host, then end. Never raises."""
        self.interrupted = True
        self._turns.end()
        self._each(HostSession.stop)

    def abort(self) -> None:
        """Kill what runs on every host. Never raises."""
        self.interrupted = self.aborted = True
        self._turns.end()
        self._each(HostSession.abort)

    def close(self) -> None:
        """Close all connections. When every drive ended well, nothing of the run stays on the nodes."""
        self._each(lambda session: session.close(forget=self._forget))
        self._sessions.clear()
        for transport in self._transports.values():
            transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._forget = False
        self.close()

    def _drive_host(
        self,
        host: str,
        program: Program,
        window: threading.Semaphore,
        outcomes: Mapping[str, HostOutcome],
        crowded: bool,
    ) -> HostOutcome:
        session = self._session(host)
        before = session.exchanges
        state: HostState = "done"
        error: CoreopsError | None = None
        try:
            self._run_program(host, session, program, window, outcomes, crowded)
            if program.failure is not None:
                state, error = "failed", HostFailed(program.failure, where=host)
        except UnreachableError as caught:
            state, error = "unreachable", caught
            self._emit(HostUnreachable(host, caught.kind, caught.what, caught.why or "", caught.next or ""))
        except InterruptedRun as caught:
            state, error = "interrupted", caught
        except CoreopsError as caught:
            state, error = "failed", caught
        if self.aborted and state != "done":
            state, error = "interrupted", InterruptedRun("killed by the operator", where=host, why=str(error))
        if state != "done" and program.failure is None:
            program.abandon()
        self._turns.move(host)
        exchanges = session.exchanges - before
        counts = getattr(program, "counts", None) or {}
        said = str(error) if error is not None else ""
        self._emit(HostFinished(host, state, **counts, exchanges=exchanges, error=said))
        return HostOutcome(state, error, exchanges)

    def _run_program(
        self,
        host: str,
        session: HostSession,
        program: Program,
        window: threading.Semaphore,
        outcomes: Mapping[str, HostOutcome],
        crowded: bool,
    ) -> None:
        if self._journal is not None:
            program = self._journal.replay(host, program)
        wait: Wait | None = None
        while True:
            since = self._turns.now
            segment = program.next()
            if segment != wait or segment is None:
                self._turns.move(host, segment.hosts if isinstance(segment, Wait) else ())
            if segment is None:
                return
            if isinstance(segment, Wait):
                wait = segment
                if crowded:  # others need its place among the open connections
                    session.close(forget=False)
                window.release()
                try:
                    self._wait(host, wait, since, outcomes)
                finally:
                    window.acquire()
                continue
            if self.interrupted:
                raise InterruptedRun("stopped by the operator", where=host)
            secret = {step.id for step in segment.steps if step.secret}
            for record in session.exchange(segment):
                if self._journal is not None:
                    self._journal.record(host, record, secret=record.step in secret)
                program.feed(record)
            if program.failure is not None:
                return

    def _wait(self, host: str, wait: Wait, since: int, outcomes: Mapping[str, HostOutcome]) -> None:
        """Until a host waited for has moved after ``since``; fails when all of them have ended."""
        ended = all(other in outcomes for other in wait.hosts)
        if ended and not self._turns.moved(host, wait.hosts, since):
            raise HostFailed(
                f"waits for {', '.join(sorted(wait.hosts))}, which ended without it", where=host, why=wait.why
            )
        self._turns.sleep(host, wait.hosts, since)
        if self.interrupted:
            raise InterruptedRun("stopped by the operator", where=host)

    def _session(self, host: str) -> HostSession:
        with self._lock:
            session = self._sessions.get(host)
            if session is None:
                target = self.targets[host]
                transport = self._transport or self._transports.get(target.transport)
                if transport is None:
                    transport = self._transports[target.transport] = transport_for(target.transport)
                session = self._sessions[host] = HostSession(
                    target, transport, self._run, self._emit, self._pace, self._reconnect
                )
            return session

    def disconnect(self, host: str) -> None:
        """Hang up on one host; the next ``drive`` connects anew. Nothing may be under way there."""
        self._end_session(host)

    def _end_session(self, host: str) -> None:
        with self._lock:
            session = self._sessions.pop(host, None)
        if session is not None:
            session.close(forget=False)

    def _each(self, action: Callable[[HostSession], None]) -> None:
        with self._lock:
            sessions = list(self._sessions.values())
        threads = [threading.Thread(target=action, args=(session,), daemon=True) for session in sessions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=15)
