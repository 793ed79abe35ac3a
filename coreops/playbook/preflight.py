"""Looks through plays before anything is touched, for the mistakes that only a host's variables show. Pure.

Every task that can be templated now is; what depends on a result, a fact or another host is passed over.
"""

from __future__ import annotations

from collections.abc import Sequence

from coreops.errors import InputError
from coreops.playbook import work
from coreops.playbook.bound import BoundPlay
from coreops.playbook.pending import Pending, PendingReference, Signal
from coreops.playbook.plays import Task
from coreops.playbook.prepare import prepare
from coreops.playbook.vars import HostState, Scope, View
from coreops.playbook.work import Run, Unit


class _Stop(Exception):
    """This host may get no further than here."""


def preflight(plays: Sequence[BoundPlay]) -> tuple[InputError, ...]:
    """Every mistake once, in the order of plays and hosts; () when nothing is wrong."""
    dynamic = frozenset(name for play in plays for name in play.dynamic)
    states: dict[str, HostState] = {}
    stopped: set[str] = set()
    found: dict[str, InputError] = {}
    for play in plays:
        checked: set[Task] = set()
        for host in play.hosts:
            if host in stopped:
                continue
            state = states.setdefault(host, HostState())
            view = play.scan_view(host, state, dynamic)
            try:
                _scan(play, view, checked)
            except _Stop:
                continue
            except InputError as error:
                stopped.add(host)
                found.setdefault(f"{error.where} {error.what}", error)
    return tuple(found.values())


def _unknown(name: str) -> Pending:
    return Pending(lambda: PendingReference(name))


def _scan(play: BoundPlay, view: View, checked: set[Task]) -> None:
    for handler in play.handlers:
        if handler.register:
            view.state.known[handler.register] = _unknown(handler.register)
    for task in (*play.tasks, *play.handlers):
        scope = Scope(view, None, task.vars)
        if task.meta:
            if task.meta.startswith("end_") and _may_hold(task, scope):
                raise _Stop
            continue
        assert task.module is not None
        fixed = task.arguments is not None and not task.when and task.loop is None and task.module.name != "set_fact"
        if not fixed or task not in checked:
            _look(play, task, scope)
            checked.add(task)
        if task.register:
            view.state.known[task.register] = _unknown(task.register)
        if task.module.name == "setup":
            view.state.facts = _unknown("facts")


def _may_hold(task: Task, scope: Scope) -> bool:
    try:
        return work.holds(task.when, scope) is None
    except Signal:
        return True


def _look(play: BoundPlay, task: Task, scope: Scope) -> None:
    assert task.module is not None
    try:
        items = work.loop_items(task, scope)
    except Signal:
        _forget(task, scope)
        return
    except InputError:
        if task.when and not _may_hold(task, scope):
            return
        raise
    for index, item in enumerate(items):
        try:
            with work.located(task.position, scope):
                _item(play, task, work.item_scope(task, scope, index, item))
        except Signal:
            _forget(task, scope)
            if task.module.name in ("assert", "fail"):
                return


def _item(play: BoundPlay, task: Task, scope: Scope) -> None:
    module = task.module
    assert module is not None
    if work.holds(task.when, scope) is not None:
        return
    unit = Unit(Run(task, "scan", task.title, scope, [None], [None], None), 0, scope)
    if prepare(unit, play, become=True) or unit.context is None:
        return
    result = module.result(unit.args, unit.context, ())
    if result.failed and not unit.ignore and module.name in ("assert", "fail"):
        raise _Stop
    if module.name == "set_fact":
        scope.view.state.known.update(result.data.get("ansible_facts", {}))


def _forget(task: Task, scope: Scope) -> None:
    """What a task that was passed over may define is unknown from here on."""
    assert task.module is not None
    if task.module.name == "set_fact":
        for name in task.args:
            scope.view.state.known[name] = _unknown(name)
