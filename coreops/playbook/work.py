"""One task (or one item of its loop) on one host, made ready: conditions decided, arguments typed, steps made. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from coreops.errors import CoreopsError, InputError
from coreops.model import FileStep, Position, Record, ShellStep, Step, TaskResult
from coreops.modules.arguments import parse
from coreops.modules.base import Context
from coreops.modules.declared import Arguments
from coreops.playbook import conditions
from coreops.playbook.pending import OMIT, CheckUnknown, Signal
from coreops.playbook.plays import Placed, Task
from coreops.playbook.values import Text, has_template, is_undefined, render, undefined
from coreops.playbook.vars import Scope

Key = tuple[str | None, bool, bool]
"""What all steps of a segment share: user, check, diff."""


@dataclass(slots=True, eq=False)
class Run:
    """A task on its way through one host. items: one element, None, when the task has no loop."""

    task: Task
    id: str
    title: str
    scope: Scope
    items: list[Any]
    results: list[TaskResult | None]
    after: Any
    next: int = 0
    attempt: int = 0

    @property
    def loops(self) -> bool:
        return self.task.loop is not None


@dataclass(slots=True, eq=False)
class Unit:
    """One item of a run as it was sent. result: already known, when nothing had to be sent. prelude: steps of ours."""

    run: Run
    item: int
    scope: Scope
    seq: int = 0
    steps: tuple[Step, ...] = ()
    prelude: int = 0
    args: Any = None
    context: Context | None = None
    ignore: bool = False
    secret: bool = False
    records: list[Record] = field(default_factory=list)
    result: TaskResult | None = None
    broken: bool = False
    key: Key = (None, False, False)
    before: Any = None
    after: Any = None

    @property
    def complete(self) -> bool:
        return self.result is not None or self.broken or len(self.records) >= len(self.steps)

    def take(self, record: Record) -> None:
        """Note a record; a failure that its step does not ignore ends the segment."""
        step = self.steps[len(self.records)]
        self.records.append(record)
        if record.state in ("failed", "unknown") and not step.ignore_errors:
            self.broken = True


def holds(wanted: tuple[Placed, ...], scope: Scope) -> str | None:
    """None when all conditions hold, else the text of the first that does not. Raises InputError and Signals."""
    for condition in wanted:
        value = render(condition.value, scope, condition.position)
        if not conditions.truth(value):
            return condition.value.source.strip() if isinstance(condition.value, Text) else str(value).lower()
    return None


def setting(wanted: Placed | None, scope: Scope, default: Any) -> Any:
    """A keyword's value, or the default."""
    if wanted is None:
        return default
    value = render(wanted.value, scope, wanted.position)
    return default if value is OMIT else value


def loop_items(task: Task, scope: Scope) -> list[Any]:
    """The items of a task's loop; [None] when it has none."""
    if task.loop is None:
        return [None]
    found = render(task.loop.value, scope, task.loop.position)
    if not isinstance(found, list):
        raise InputError(
            f"a loop wants a list, not {type(found).__name__}",
            where=task.loop.position,
            why=f"on host {scope.host}",
            next="for a mapping: | dict2items",
        )
    if task.loop_flat:
        return [each for item in found for each in (item if isinstance(item, list) else [item])]
    return list(found)


def open_run(task: Task, scope: Scope, id: str, after: Any) -> Run:
    """Begin a task. The items of a loop that cannot be known now stay open; its condition may yet skip it."""
    try:
        items = loop_items(task, scope)
    except CheckUnknown:
        items = [None]
    except InputError:
        if not task.when or holds(task.when, scope) is None:
            raise
        items = [None]
    return Run(task, id, title_of(task, scope), scope, items, [None] * len(items), after)


def item_scope(task: Task, scope: Scope, index: int, item: Any) -> Scope:
    """What one item of a task's loop sees."""
    if task.loop is None:
        return scope
    return scope.child({task.loop_var: item, **({task.index_var: index} if task.index_var else {})})


@contextmanager
def located(position: Position, scope: Scope) -> Iterator[None]:
    """Give errors the task's place, and make undefined variables errors."""
    try:
        yield
    except CoreopsError as error:
        if error.where is None:
            error.where = str(position)
        raise
    except Exception as error:
        if isinstance(error, Signal) or not is_undefined(error):
            raise
        raise undefined(error, position, scope) from None  # type: ignore[arg-type]


def title_of(task: Task, scope: Scope) -> str:
    """The task's name; templates that are not known yet stay as they are written."""
    if task.name is None or task.name.static:
        return task.title
    try:
        return str(task.name.evaluate(scope))
    except (Signal, CoreopsError):
        return task.title
    except Exception as error:
        if is_undefined(error):
            return task.title
        raise


def label_of(unit: Unit, *, secret: bool) -> str:
    """How reports name the item of a loop."""
    if not unit.run.loops or not unit.run.items:
        return ""
    if secret:
        return f"item {unit.item + 1}"
    item = unit.run.items[unit.item]
    try:
        return str(setting(unit.run.task.label, unit.scope, item))
    except (Signal, InputError):
        return str(item)


def environment(task: Task, scope: Scope) -> dict[str, str]:
    """The environment of a task: the play's, then its own."""
    merged: dict[str, str] = {}
    for each in task.environment:
        value = render(each.value, scope, each.position)
        for part in value if isinstance(value, list) else [value]:
            if not isinstance(part, Mapping):
                raise InputError("environment is a mapping of names to values", where=each.position)
            for name, text in part.items():
                if not str(name).isidentifier():
                    raise InputError(f"{name!r} cannot be the name of an environment variable", where=each.position)
                if "\0" in str(text):
                    raise InputError(f"the value of {name} holds a NUL byte", where=each.position)
                merged[str(name)] = str(text)
    return merged


def arguments(task: Task, scope: Scope) -> Arguments:
    """The typed arguments. Raises InputError at the argument's place."""
    if task.arguments is not None:
        return task.arguments
    assert task.module is not None
    raw = {}
    for name, one in task.args.items():
        value = render(one.value, scope, one.position)
        if value is not OMIT:
            raw[name] = value
    return parse(
        task.module, raw, task.position, lambda name: task.args[name].position if name in task.args else task.position
    )


def context(
    run: Run, scope: Scope, id: str, *, base: Path, check: bool, diff: bool, timeout: float, verbosity: int
) -> Context:
    """What the module may know."""
    task = run.task

    def evaluate(text: str, position: Position) -> Any:
        bare = not has_template(text)
        return render(Text(text, position, bare=bare), scope, position)

    return Context(
        id=id,
        title=run.title,
        host=scope.host,
        base=base,
        position=task.position,
        vars=scope,
        template=lambda text, position: render_file(text, position, scope, base),
        find=finder(base, task.position),
        evaluate=evaluate,
        env=environment(task, scope) if task.environment else {},
        check=check,
        diff=diff,
        timeout=float(setting(task.timeout, scope, 0) or timeout),
        verbosity=verbosity,
    )


def render_file(text: str, position: Position, scope: Scope, base: Path) -> str:
    """Render the text of a template file that begins at ``position``; errors name the line in it."""
    if not has_template(text):
        return text
    from jinja2.exceptions import TemplateSyntaxError

    from coreops.playbook import jinja

    try:
        compiled = jinja.compile_text(text, base, True)
    except TemplateSyntaxError as error:
        raise jinja.syntax_error(error, text.split("\n")[max(0, error.lineno - 1)], Position(position.file)) from None
    try:
        return str(compiled(scope))
    except (Signal, CoreopsError):
        raise
    except Exception as error:
        where = Position(position.file, compiled.line_of(error) or position.line)
        if is_undefined(error):
            raise undefined(error, where, scope) from None  # type: ignore[arg-type]
        raise InputError("the template failed", where=where, why=str(error) or type(error).__name__) from None


def finder(base: Path, position: Position) -> Callable[[str, str], Path]:
    """Ansible's search: absolute, else below base/<kind>, else below base."""

    def find(kind: str, name: str) -> Path:
        try:
            return _find(base, kind, name)
        except FileNotFoundError as error:
            raise InputError(f"no file {name!r} on the controller", where=position, why=f"looked for {error}") from None

    return find


@lru_cache(maxsize=1024)
def _find(base: Path, kind: str, name: str) -> Path:
    """Looked for once, not once per host. Raises FileNotFoundError with the places, which is not remembered."""
    wanted = Path(name).expanduser()
    places = [wanted] if wanted.is_absolute() else [base / kind / wanted, base / wanted]
    for place in places:
        if place.exists():
            return place
    raise FileNotFoundError(" and ".join(str(place) for place in places))


def dress(steps: Sequence[Step], ctx: Context, *, ignore: bool, in_check: bool, secret: bool) -> tuple[Step, ...]:
    """Give the steps what the task says: environment, secrecy, and that its failure may be ignored."""
    dressed = list(steps)
    for index, step in enumerate(dressed):
        changes: dict[str, Any] = {}
        if secret and not step.secret:
            changes["secret"] = True
        if isinstance(step, ShellStep):
            if ctx.env:
                changes["env"] = {**ctx.env, **step.env}
            if in_check:
                changes["in_check"] = True
        if ignore and index == len(dressed) - 1:
            changes["ignore_errors"] = True
        if changes:
            dressed[index] = replace(step, **changes)
    return tuple(dressed)


def has_files(steps: Sequence[Step]) -> bool:
    """Is a FileStep among them?"""
    return any(isinstance(step, FileStep) for step in steps)
