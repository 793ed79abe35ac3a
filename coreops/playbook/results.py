"""TaskResult -> what ``register`` stores and what may be shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from coreops.model import TaskResult
from coreops.playbook.pending import SkippedData

HIDDEN = "output hidden (no_log)"


def registered(result: TaskResult, title: str, *, check: bool) -> dict[str, Any]:
    """A result in Ansible's keys. In check mode, what it lacks is unknown, not undefined."""
    data = {**result.data, "changed": result.changed, "failed": result.failed}
    if result.skipped:
        data["skipped"] = True
    if result.message:
        data.setdefault("msg", result.message)
    return SkippedData(data, title) if check and (result.skipped or result.changed) else data


def looped(
    results: Sequence[TaskResult], items: Sequence[Any], variable: str, title: str, *, check: bool
) -> dict[str, Any]:
    """The result of a whole loop, as Ansible makes it."""
    each = []
    for result, item in zip(results, items, strict=True):
        data = registered(result, title, check=check)
        data[variable] = item
        data["ansible_loop_var"] = variable
        each.append(data)
    failed = any(result.failed for result in results)
    skipped = all(result.skipped for result in results)
    data = {"results": each, "changed": any(result.changed for result in results), "failed": failed}
    if skipped:
        data["skipped"] = True
    data["msg"] = "One or more items failed" if failed else "All items skipped" if skipped else "All items completed"
    return data


def skipped(reason: str, condition: str = "") -> TaskResult:
    """The result of a task that a condition skipped."""
    data: dict[str, Any] = {"skip_reason": "Conditional result was False" if condition else reason}
    if condition:
        data["false_condition"] = condition
    return TaskResult(skipped=True, message=reason, data=data)


def shown(result: TaskResult) -> TaskResult:
    """What may be shown of a result: nothing but its state when it is secret."""
    return replace(result, message=HIDDEN, data={}, diff="") if result.secret else result


def facts_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a setup result, without the ``ansible_`` prefix."""
    found = data.get("ansible_facts") or {}
    return {str(name).removeprefix("ansible_"): value for name, value in found.items()}
