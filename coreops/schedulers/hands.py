"""Carries out what adapters say: talks with hosts, one or many at the same time, and parts of a scheduler's playbook.

The only file of this package that drives the engine. Knows no scheduler. Safe to use from several threads: steps take
turns on a host, talks do not wait for each other.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from coreops.engine.engine import Engine
from coreops.engine.steps import StepsProgram
from coreops.errors import CoreopsError, HostFailed, InterruptedRun, UnreachableError
from coreops.events import Emit, Event, HostFinished
from coreops.model import Record, ShellStep, Target
from coreops.schedulers.audit import Audit
from coreops.schedulers.protocol import Elsewhere, Pause, Talk
from coreops.store.nodes import Counter, together
from coreops.transport.protocol import Transport

if TYPE_CHECKING:
    from coreops.inventory import Inventory
    from coreops.playbook import BoundPlay

T = TypeVar("T")
PATIENCE = 180.0
_SLICE = 0.1
_RECONNECT = 5.0
_AVOID = 30.0
LEADERLESS = 20.0
"""How long to go round when hosts answer, but none can speak for the cluster: an election takes a moment."""


class Hands:
    """Talks to the hosts of one engine.

    leaderless: see ``LEADERLESS``. clock, sleep: for tests. exchanges, ok, changed: counted a host, over its life.
    """

    def __init__(
        self,
        engine: Engine,
        emit: Emit,
        *,
        leaderless: float = LEADERLESS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._engine = engine
        self._emit = emit
        self._leaderless = leaderless
        self._lost: dict[str, float] = {}
        self._clock = clock
        self._sleep = sleep
        self._numbers = count(1)
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self.exchanges: dict[str, int] = {}
        self.ok: dict[str, int] = {}
        self.changed: dict[str, int] = {}

    @classmethod
    def over(cls, targets: Mapping[str, Target], emit: Emit, *, run: str, transport: Transport | None = None) -> Hands:
        """Hands with connections of their own, made when they are needed. A host that is lost is soon given up."""
        soon = {name: replace(t, connect_timeout=min(_RECONNECT, t.connect_timeout)) for name, t in targets.items()}
        engine = Engine(soon, quiet(emit), run=run, transport=transport, reconnect=_RECONNECT)
        return cls(engine, emit)

    @property
    def engine(self) -> Engine:
        return self._engine

    def close(self) -> None:
        """Close all connections."""
        self._engine.close()

    def talk(
        self, hosts: Sequence[str], make: Callable[[], Talk[T]], *, patience: float = PATIENCE, title: str = ""
    ) -> T:
        """Hold a talk on the first of ``hosts`` that can, from its start on each; what it returned.

        patience: seconds from now that its pauses may take, all in all. Raises UnreachableError when no host answers,
        and what the talk raises, with the host.
        """
        began = self._clock()
        while True:
            errors: dict[str, CoreopsError] = {}
            for host in self._order(hosts):
                try:
                    return self._hold(host, make(), began, patience, title)
                except (UnreachableError, Elsewhere) as error:
                    errors[host] = error
                    if isinstance(error, UnreachableError):
                        self._lost[host] = self._clock()
                except CoreopsError as error:
                    if error.where is None:
                        error.where = host
                    raise
            electing = any(isinstance(error, Elsewhere) for error in errors.values())
            if not electing or self._clock() - began >= min(self._leaderless, patience):
                raise _nobody(errors, title)
            self._pause(hosts[0], Pause(("a host that can speak for the cluster",), 1.0), began, math.inf, title)

    def _order(self, hosts: Sequence[str]) -> list[str]:
        """Those that were lost just now are asked last."""
        now = self._clock()
        return sorted(hosts, key=lambda host: now - self._lost.get(host, -math.inf) < _AVOID)

    def talks(
        self,
        on: Mapping[str, Sequence[str]],
        make: Callable[[str], Talk[T]],
        *,
        patience: float = PATIENCE,
        title: str = "",
    ) -> dict[str, T | CoreopsError]:
        """Hold a talk for each key of ``on``, on one of its hosts, all at once: what each returned or raised.

        title: a {} in it stands for the key.
        """
        found: dict[str, T | CoreopsError] = {}
        bugs: list[BaseException] = []
        window = threading.Semaphore(self._engine.forks)

        def work(key: str) -> None:
            try:
                own = title.replace("{}", key)
                found[key] = self.talk(on[key], lambda: make(key), patience=patience, title=own)
            except CoreopsError as error:
                found[key] = error
            except BaseException as bug:
                bugs.append(bug)
            finally:
                window.release()

        threads = [threading.Thread(target=work, args=(key,), name=f"talk-{key}", daemon=True) for key in on]
        for thread in threads:
            window.acquire()
            thread.start()
        for thread in threads:
            thread.join()
        if bugs:
            raise bugs[0]
        return {key: found[key] for key in on}

    def every(
        self,
        hosts: Collection[str],
        make: Callable[[str], Talk[T]],
        *,
        patience: float = PATIENCE,
        title: str = "",
    ) -> dict[str, T]:
        """Hold a talk on every host itself. Raises one error for all that failed."""
        return good(self.talks({host: (host,) for host in hosts}, make, patience=patience, title=title))

    def play(
        self,
        playbook: Path,
        inventory: Inventory,
        tags: Sequence[str],
        hosts: Sequence[str],
        extra: Mapping[str, Any],
    ) -> dict[str, int]:
        """Run the tasks with these tags on these hosts: changes a host. Raises when one failed."""
        counter = Counter(self._emit)
        prefix = f"{playbook.stem}{next(self._numbers)}."
        for play in bound(playbook, inventory, tags, hosts, extra, counter, prefix=prefix):
            for batch in play.batches():
                outcomes = self._engine.drive({host: play.program(host, batch) for host in batch})
                for host, outcome in outcomes.items():
                    self._count(self.exchanges, host, outcome.exchanges)
                good({host: outcome.error or outcome for host, outcome in outcomes.items()})
        for host, number in counter.ok.items():
            self._count(self.ok, host, number)
        for host, number in counter.changed.items():
            self._count(self.changed, host, number)
        return counter.changed

    def audit(
        self,
        hosts: Sequence[str],
        make: Callable[[str], Talk[T]],
        plays: Sequence[BoundPlay],
        *,
        patience: float = PATIENCE,
        title: str = "",
    ) -> tuple[dict[str, T], dict[str, str]]:
        """Hold a talk on every host itself, and have plays that were bound in check mode say what they would change:
        what each talk returned, and why the plays failed on a host. Raises one error for all whose talk failed.
        """
        began = self._clock()
        programs: dict[str, Audit[T]] = {}
        for host in hosts:
            inner = next((play.program(host, play.hosts) for play in plays if host in play.hosts), None)

            def pause(said: Pause, host: str = host) -> None:
                self._pause(host, said, began, patience, title)

            programs[host] = Audit(make(host), inner, pause=pause, name=lambda id: f"{id}-{next(self._numbers)}")
        found: dict[str, T | CoreopsError] = {}
        for host, outcome in self._engine.drive(programs).items():
            self._count(self.exchanges, host, outcome.exchanges)
            if outcome.error is not None and outcome.error.where is None:
                outcome.error.where = host
            found[host] = outcome.error or programs[host].found[0]
        failed = {host: why for host, each in programs.items() if (why := each.inner_failure)}
        return good(found), failed

    def _hold(self, host: str, talk: Talk[T], began: float, patience: float, title: str) -> T:
        answer: Record | None = None
        try:
            while True:
                try:
                    said = talk.send(answer)
                except StopIteration as end:
                    result: T = end.value
                    return result
                if isinstance(said, Pause):
                    self._pause(host, said, began, patience, title)
                    answer = None
                else:
                    answer = self._ask(host, said)
        finally:
            talk.close()

    def _ask(self, host: str, step: ShellStep) -> Record:
        """One step; the record also when it failed. Raises when the host could not be asked."""
        id = f"{step.id}-{next(self._numbers)}"
        program = StepsProgram([replace(step, id=id, ignore_errors=True)], id=f"talk-{id}")
        with self._turn(host):
            outcome = self._engine.drive({host: program})[host]
            if outcome.error is not None or len(self._engine.targets) > self._engine.forks:
                self._engine.disconnect(host)
        self._count(self.exchanges, host, outcome.exchanges)
        if outcome.error is not None:
            raise outcome.error
        return replace(program.records[id], step=step.id)

    def _pause(self, host: str, pause: Pause, began: float, patience: float, title: str) -> None:
        until = self._clock() + pause.seconds
        left = began + patience
        while True:
            now = self._clock()
            if now >= left:
                raise pause.error or HostFailed(
                    f"{title or 'a talk'}: not done within {patience:g} s",
                    where=host,
                    why="still there: " + "; ".join(pause.left),
                    next="find out why, or have more patience; then run the same command again",
                )
            if self._engine.interrupted:
                raise InterruptedRun(
                    f"{title or 'a talk'}: stopped by the operator",
                    where=host,
                    why="it waited for " + "; ".join(pause.left),
                    next="run the same command again: it continues",
                )
            if now >= until:
                return
            self._sleep(min(_SLICE, until - now))

    def _turn(self, host: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(host, threading.Lock())

    def _count(self, counts: dict[str, int], host: str, number: int) -> None:
        with self._guard:
            counts[host] = counts.get(host, 0) + number


def bound(
    playbook: Path,
    inventory: Inventory,
    tags: Sequence[str],
    hosts: Sequence[str],
    extra: Mapping[str, Any],
    emit: Emit,
    *,
    check: bool = False,
    diff: bool = False,
    prefix: str = "",
) -> tuple[BoundPlay, ...]:
    """A playbook's tasks with these tags, tied to these hosts. prefix: see ``playbook.bind``."""
    from coreops.playbook import bind, load_playbook

    if not hosts:
        return ()
    limit = ",".join(hosts)
    loaded = load_playbook(playbook)
    return bind(
        loaded, inventory, emit=emit, extra_vars=extra, tags=tuple(tags), limit=limit, check=check, diff=diff,
        prefix=prefix,
    )  # fmt: skip


def good(found: Mapping[str, T | CoreopsError]) -> dict[str, T]:
    """What was returned. Raises one error for all that were raised: interrupted before unreachable before the rest."""
    bad = {key: each for key, each in found.items() if isinstance(each, CoreopsError)}
    for kind in (InterruptedRun, UnreachableError, CoreopsError):
        keys = [key for key, error in bad.items() if isinstance(error, kind)]
        if len(keys) == 1:
            raise bad[keys[0]]
        if keys:
            first = bad[keys[0]]
            if isinstance(first, UnreachableError | InterruptedRun) or type(first) in (CoreopsError, HostFailed):
                raise together(keys, first)
            raise first
    return {key: each for key, each in found.items() if not isinstance(each, CoreopsError)}


def quiet(emit: Emit) -> Emit:
    """Leave out the engine's word that a host is done with one of many small parts."""

    def pass_on(event: Event) -> None:
        if not isinstance(event, HostFinished):
            emit(event)

    return pass_on


def _nobody(errors: Mapping[str, CoreopsError], title: str) -> CoreopsError:
    if not errors:
        return HostFailed(f"{title or 'a talk'}: there is no host to hold it on")
    if len(errors) == 1:
        host, error = next(iter(errors.items()))
        error.where = error.where or host
        return error
    why = "; ".join(
        f"{host}: {error.what}" + (f" ({error.why})" if error.why else "") for host, error in errors.items()
    )
    what = f"{title or 'a talk'}: no host could be asked"
    lost = next((error for error in errors.values() if isinstance(error, UnreachableError)), None)
    if lost is not None and len({type(error) for error in errors.values()}) == 1:
        return UnreachableError(lost.kind, what, where=", ".join(errors), why=why, next=lost.next)
    told = next((error.next for error in errors.values() if error.next), "look at the scheduler's agent on these hosts")
    return HostFailed(what, where=", ".join(errors), why=why, next=told)
