"""One item of a task -> the steps that are sent for it, and as whom. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coreops.model import ShellStep, Step
from coreops.playbook import work
from coreops.playbook.conditions import truth
from coreops.playbook.plays import Task
from coreops.playbook.vars import Scope
from coreops.playbook.work import Unit

if TYPE_CHECKING:
    from coreops.playbook.bound import BoundPlay


def prepare(unit: Unit, play: BoundPlay, become: bool) -> tuple[Step, ...]:
    """Fill in a unit's settings, arguments and steps; return the steps. Raises InputError and Signals.

    become: what holds for a task that does not say it.
    """
    run, scope = unit.run, unit.scope
    task = run.task
    assert task.module is not None
    unit.ignore = truth(work.setting(task.ignore_errors, scope, False))
    unit.secret = truth(work.setting(task.no_log, scope, False))
    check = play.check if task.check_mode is None else task.check_mode
    diff = play.diff if task.diff is None else task.diff
    id = run.id + (f".i{unit.item}" if run.loops else "") + (f".r{run.attempt}" if run.attempt else "")
    unit.context = work.context(
        run, scope, id, base=play.base, check=check, diff=diff, timeout=play.timeout, verbosity=play.verbosity
    )
    unit.args = work.arguments(task, scope)
    steps = task.module.steps(unit.args, unit.context)
    if not steps:
        return ()
    in_check = play.check and not check and not work.has_files(steps)
    forgive = unit.ignore or task.failed_when is not None or task.until is not None or task.retries is not None
    unit.steps = work.dress(steps, unit.context, ignore=forgive, in_check=in_check, secret=unit.secret)
    if run.attempt and (delay := float(work.setting(task.delay, scope, 5.0))) > 0:
        pause = ShellStep(id=f"{id}.d", title=f"wait {delay:g} s", probe=f"sleep {delay:g}", timeout=delay + 60)
        unit.steps, unit.prelude = (pause, *unit.steps), 1
    unit.key = (_user(task, scope, play, become), check or in_check, diff)
    return unit.steps


def _user(task: Task, scope: Scope, play: BoundPlay, become: bool) -> str | None:
    """None: the connection's own shell, which is root's when any task of the play becomes somebody."""
    if not play.become:
        return None
    if not truth(work.setting(task.become, scope, become)):
        return "~login"
    user = str(work.setting(task.become_user, scope, "root"))
    return None if user == "root" else user
