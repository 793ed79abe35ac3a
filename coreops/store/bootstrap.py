"""``coreops bootstrap``: takes the hosts of an inventory to a healthy etcd cluster, through the list of ``phases``.

Keeps no state but the certificates and the cache: what the nodes show decides, so an interrupted run is repeated.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

from coreops.engine.engine import Engine
from coreops.errors import CoreopsError, ExitCode
from coreops.events import Emit, HostFinished, PhaseFinished, PhaseStarted, RunFinished, RunStarted
from coreops.store import phases
from coreops.store.run import Options, Result, Run


def bootstrap(
    options: Options,
    emit: Emit,
    around: Callable[[Engine], contextlib.AbstractContextManager[object]] = contextlib.nullcontext,
    more: Sequence[phases.Phase] = (),
) -> Result:
    """Run all phases, and ``more`` after them. ``around`` is entered with the engine (to stop it on Ctrl-C).

    Raises CoreopsError of the kind that fits; nothing was touched when it is an InputError.
    """
    began = time.monotonic()
    run = phases.prepare(options, emit)
    with _announced(run, began), run.engine, contextlib.ExitStack() as stack:
        stack.enter_context(around(run.engine))
        todo = (*phases.of(options), *more)
        for number, phase in enumerate(todo, start=1):
            if (not run.finished or phase.always) and not phase.idle():
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
        further=dict(run.further),
    )


@contextlib.contextmanager
def _announced(run: Run, began: float) -> Iterator[None]:
    """The run's beginning and its end, with the last word on every host."""
    run.emit(RunStarted(run.options.run, "bootstrap", run.everybody, run.options.check))
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
        for host in run.everybody:
            if state == "done":
                ok, changed = run.nodes.ok.get(host, 0), run.nodes.changed.get(host, 0)
                exchanges = run.nodes.exchanges.get(host, 0)
                run.emit(HostFinished(host, state, ok=ok, changed=changed, exchanges=exchanges))
        states = dict.fromkeys(run.everybody, state)
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
