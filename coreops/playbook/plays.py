"""A playbook as it was written and understood: plays, tasks, handlers, each part with its place. Only data.

Values that may hold templates are ``Value``; everything else is plain. Play-wide settings are already on each task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coreops.model import Position
from coreops.modules.base import Module
from coreops.modules.declared import Arguments
from coreops.playbook.values import Value


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A value and the place of the key it was written under."""

    value: Value
    position: Position


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Task:
    """One task or handler. ``meta`` tasks and the flush between sections have no module.

    arguments: the module's typed arguments when no template is in them. Of when, until, failed_when and
    changed_when all must hold. ``index`` counts the tasks (or the handlers) of its play from 0.
    """

    index: int
    position: Position
    module: Module[Any] | None = None
    meta: str = ""
    name: Value | None = None
    title: str = ""
    handler: bool = False
    args: Mapping[str, Placed] = field(default_factory=dict)
    arguments: Arguments | None = None
    when: tuple[Placed, ...] = ()
    loop: Placed | None = None
    loop_flat: bool = False
    loop_var: str = "item"
    index_var: str = ""
    label: Placed | None = None
    register: str = ""
    notify: tuple[Placed, ...] = ()
    listen: tuple[str, ...] = ()
    become: Placed | None = None
    become_user: Placed | None = None
    tags: frozenset[str] = frozenset()
    failed_when: tuple[Placed, ...] | None = None
    changed_when: tuple[Placed, ...] | None = None
    ignore_errors: Placed | None = None
    environment: tuple[Placed, ...] = ()
    vars: Mapping[str, Value] = field(default_factory=dict)
    until: tuple[Placed, ...] | None = None
    retries: Placed | None = None
    delay: Placed | None = None
    check_mode: bool | None = None
    diff: bool | None = None
    no_log: Placed | None = None
    timeout: Placed | None = None
    any_errors_fatal: bool = False

    def values(self) -> Iterator[Value]:
        """Every value of this task that may hold a template, but its name."""
        yield from self.vars.values()
        groups = (self.when, self.notify, self.failed_when or (), self.changed_when or (), self.until or ())
        single = (self.loop, self.label, self.become_user, self.ignore_errors, self.retries, self.delay)
        for each in (*self.args.values(), *self.environment, *single, *(each for group in groups for each in group)):
            if each is not None:
                yield each.value


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Play:
    """One play. tasks: pre_tasks, tasks and post_tasks with the flushes between them. base: its file's folder."""

    index: int
    position: Position
    base: Path
    hosts: Placed
    name: str = ""
    tasks: tuple[Task, ...] = ()
    handlers: tuple[Task, ...] = ()
    vars: Mapping[str, Value] = field(default_factory=dict)
    vars_files: tuple[tuple[Placed, ...], ...] = ()
    gather_facts: bool | None = None
    serial: tuple[int | str, ...] = ()
    any_errors_fatal: bool = False
    max_fail_percentage: float | None = None
    strategy: str = "free"


@dataclass(frozen=True, slots=True, eq=False)
class Playbook:
    """Everything one playbook file says, imports included."""

    path: Path
    plays: tuple[Play, ...]
