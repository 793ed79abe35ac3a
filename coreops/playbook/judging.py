"""What a task's result means: changed_when, failed_when, until, and whether the controller must decide first. Pure."""

from __future__ import annotations

from dataclasses import replace

from coreops.errors import CoreopsError, InputError
from coreops.model import ShellStep, TaskResult
from coreops.playbook import results, work
from coreops.playbook.pending import CheckUnknown, PendingReference, WaitReference
from coreops.playbook.vars import Scope
from coreops.playbook.work import Unit


def decides(unit: Unit) -> bool:
    """Must nothing else happen before this task's result is known? A constant false ``failed_when`` decides nothing."""
    wanted = unit.run.task.failed_when
    if wanted is None:
        return False
    never = any(each.value.static and not each.value.evaluate(unit.scope) for each in wanted)
    return not never


def ends_segment(unit: Unit) -> bool:
    """Does even one item of this task end the segment: it may be tried again, or the node goes away?"""
    task = unit.run.task
    if not unit.steps:
        return False
    retried = task.until is not None or task.retries is not None
    return retried or any(isinstance(step, ShellStep) and step.reconnect for step in unit.steps)


def judge(unit: Unit, result: TaskResult, *, check: bool) -> TaskResult:
    """Apply no_log, changed_when and failed_when. Raises Signals only for a task that has sent nothing."""
    task = unit.run.task
    if unit.secret:
        result = replace(result, secret=True)
    if result.skipped:
        return result
    if task.until is not None or task.retries is not None:
        result = replace(result, data={**result.data, "attempts": unit.run.attempt + 1})
    for name, wanted in (("changed", task.changed_when), ("failed", task.failed_when)):
        if wanted is None:
            continue
        try:
            value = work.holds(wanted, _with_result(unit, result, check=check)) is None
        except CheckUnknown:
            continue
        except (PendingReference, WaitReference) as signal:
            if not unit.records:
                raise
            return replace(result, failed=True, message=f"{name}_when needs {signal}, which is not known yet")
        except InputError as error:
            return replace(result, failed=True, message=f"{name}_when: {error}")
        result = replace(result, changed=value) if name == "changed" else _with_failure(result, value)
    return result


def _with_failure(result: TaskResult, failed: bool) -> TaskResult:
    message = result.message
    if failed and not result.failed:
        message = f"failed_when holds{': ' + message if message else ''}"
    return replace(result, failed=failed, message=message)


def retry(unit: Unit, result: TaskResult, *, check: bool) -> tuple[TaskResult, bool]:
    """The result of an attempt, and whether to try again."""
    task, attempt = unit.run.task, unit.run.attempt
    if (task.until is None and task.retries is None) or result.skipped:
        return result, False
    try:
        if task.until is None:
            done = not result.failed
        else:
            done = work.holds(task.until, _with_result(unit, result, check=check)) is None
        tries = int(work.setting(task.retries, unit.scope, 3))
    except CheckUnknown:
        return result, False
    except (PendingReference, WaitReference) as signal:
        return replace(result, failed=True, message=f"until needs {signal}, which is not known yet"), False
    except (CoreopsError, TypeError, ValueError) as error:
        return replace(result, failed=True, message=f"until: {error}"), False
    if done:
        return result, False
    if attempt < tries:
        return result, True
    reason = f"did not come true in {attempt + 1} attempts" if task.until else f"failed in {attempt + 1} attempts"
    message = f"{reason}: {result.message}" if result.message else reason
    return replace(result, failed=True, message=message), False


def _with_result(unit: Unit, result: TaskResult, *, check: bool) -> Scope:
    name = unit.run.task.register
    return unit.scope.child({name: results.registered(result, unit.run.title, check=check)} if name else {})
