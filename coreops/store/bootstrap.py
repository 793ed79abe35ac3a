"""``coreops bootstrap``: takes the hosts of an inventory to a healthy etcd cluster, through the list of ``phases``.

Keeps no state but the certificates and the cache: what the nodes show decides, so an interrupted run is repeated.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coreops.engine.engine import Engine, Keeper
from coreops.errors import CoreopsError, ExitCode
from coreops.events import Emit, Event, HostFinished, PhaseFinished, PhaseStarted, RunFinished, RunStarted
from coreops.inventory import Inventory
from coreops.store import observe
from coreops.store.converge import Converger
from coreops.store.etcdctl import MemberInfo
from coreops.store.nodes import Nodes
from coreops.store.pki import Pki
from coreops.store.wanted import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the operator asked for. ``connection``: defaults for how to reach hosts (see ``inventory.target``)."""

    inventory: Path
    playbook: Path
    run: str
    check: bool = False
    diff: bool = False
    limit: str | None = None
    prune: bool = False
    verify: bool = False
    forks: int | None = None
    journal: Keeper | None = None
    connection: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the cluster is now. ``changes``: what was done (or, with check, would be done); empty: nothing to change."""

    check: bool
    version: str
    endpoints: tuple[str, ...]
    changes: tuple[str, ...]
    strays: tuple[str, ...]
    exchanges: Mapping[str, int]
    seconds: float
    commands: Mapping[str, str]
    verified: bool | None = None


@dataclass(slots=True, kw_only=True)
class Run:
    """What the phases hand to each other. Each attribute is set by the phase that finds it out."""

    options: Options
    emit: Emit
    inventory: Inventory
    wanted: Wanted
    only: frozenset[str] | None = None
    archives: dict[str, Path] = field(default_factory=dict)
    pki: Pki
    extra: dict[str, Any] = field(default_factory=dict)
    engine: Engine
    nodes: Nodes
    found: dict[str, observe.Node] = field(default_factory=dict)
    pending: dict[str, int] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    strays: tuple[MemberInfo, ...] = ()
    finished: bool = False
    verified: bool | None = None

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that may be touched."""
        return tuple(name for name in self.wanted.names if self.only is None or name in self.only)

    def converger(self) -> Converger:
        """The membership part, with this run's wishes."""
        return Converger(
            self.nodes, self.wanted.members, self.extra, self.emit, prune=self.options.prune, only=self.only
        )


def bootstrap(
    options: Options,
    emit: Emit,
    around: Callable[[Engine], contextlib.AbstractContextManager[object]] = contextlib.nullcontext,
) -> Result:
    """Run all phases. ``around`` is entered with the engine (to stop it on Ctrl-C).

    Raises CoreopsError of the kind that fits; nothing was touched when it is an InputError.
    """
    from coreops.store import phases

    began = time.monotonic()
    run = phases.prepare(options, emit)
    with _announced(run, began), run.engine, contextlib.ExitStack() as stack:
        stack.enter_context(around(run.engine))
        todo = phases.of(options)
        for number, phase in enumerate(todo, start=1):
            if not run.finished or phase.always:
                with _shown(emit, phase.title, number, len(todo)) as tell:
                    tell.append(phase.work(run, stack))
    return Result(
        check=options.check,
        version=run.wanted.version,
        endpoints=tuple(member.client_url for member in run.wanted.members),
        changes=tuple(run.changes),
        strays=tuple(entry.name or ", ".join(entry.peer_urls) for entry in run.strays),
        exchanges=dict(run.nodes.exchanges),
        seconds=time.monotonic() - began,
        commands=phases.commands(run),
        verified=run.verified,
    )


@contextlib.contextmanager
def _announced(run: Run, began: float) -> Iterator[None]:
    """The run's beginning and its end, with the last word on every host."""
    run.emit(RunStarted(run.options.run, "bootstrap", run.wanted.names, run.options.check))
    code, state = int(ExitCode.DONE), "done"
    try:
        yield
    except CoreopsError as error:
        code, state = int(error.exit_code), "interrupted" if error.exit_code == ExitCode.INTERRUPTED else "failed"
        raise
    except BaseException:
        code, state = int(ExitCode.FAILED), "failed"
        raise
    finally:
        for host in run.wanted.names:
            if state == "done":
                ok, changed = run.nodes.ok.get(host, 0), run.nodes.changed.get(host, 0)
                exchanges = run.nodes.exchanges.get(host, 0)
                run.emit(HostFinished(host, state, ok=ok, changed=changed, exchanges=exchanges))
        states = dict.fromkeys(run.wanted.names, state)
        run.emit(RunFinished(run.options.run, code, time.monotonic() - began, states))


@contextlib.contextmanager
def _shown(emit: Emit, title: str, index: int, total: int) -> Iterator[list[str]]:
    emit(PhaseStarted(title, index, total))
    said: list[str] = []
    try:
        yield said
    except BaseException as error:
        emit(PhaseFinished(title, str(getattr(error, "what", "")) or type(error).__name__, ok=False))
        raise
    emit(PhaseFinished(title, said[0]))


def quiet(emit: Emit) -> Emit:
    """Leave out the engine's word that a host is done with one of the many small parts of a bootstrap."""

    def pass_on(event: Event) -> None:
        if not (isinstance(event, HostFinished) and event.state == "done"):
            emit(event)

    return pass_on
