"""Playbook + inventory + what the operator asked for -> bound plays. Reads vars files; connects to nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coreops.errors import InputError
from coreops.events import Emit, Notice
from coreops.modules.arguments import parse
from coreops.playbook import reading
from coreops.playbook.bound import BoundPlay, Settings
from coreops.playbook.load_task import Registry
from coreops.playbook.loader import default_registry
from coreops.playbook.pending import Signal
from coreops.playbook.plays import Placed, Play, Playbook, Task
from coreops.playbook.source import read_yaml
from coreops.playbook.tags import selected
from coreops.playbook.values import Value, prepare_plain, render
from coreops.playbook.vars import HostState, Scope, View

if TYPE_CHECKING:
    from coreops.inventory import Inventory


def bind(
    playbook: Playbook,
    inventory: Inventory,
    *,
    emit: Emit,
    extra_vars: Mapping[str, Any] | None = None,
    tags: Collection[str] = (),
    skip_tags: Collection[str] = (),
    limit: str | None = None,
    check: bool = False,
    diff: bool = False,
    registry: Registry | None = None,
    timeout: float = 600.0,
    verbosity: int = 0,
    prefix: str = "",
) -> tuple[BoundPlay, ...]:
    """Tie every play to its hosts. Raises InputError for unknown hosts and bad vars files; nothing has been touched.

    prefix: another one for each playbook, and each time, that one run has: nodes do not act twice for one id.
    """
    settings = Settings(
        emit=emit,
        extra={name: prepare_plain(value) for name, value in (extra_vars or {}).items()},
        tags=frozenset(tags),
        skip_tags=frozenset(skip_tags),
        check=check,
        diff=diff,
        timeout=timeout,
        verbosity=verbosity,
        prefix=prefix,
    )
    modules = registry or default_registry()
    inventories: dict[Path, Inventory] = {}
    bound = []
    for play in playbook.plays:
        if play.base not in inventories:
            inventories[play.base] = inventory.with_playbook_dir(play.base)
        bound.append(_bind_play(play, inventories[play.base], settings, limit, modules))
    return tuple(bound)


def _bind_play(
    play: Play, inventory: Inventory, settings: Settings, limit: str | None, registry: Registry
) -> BoundPlay:
    view = View("(none)", HostState(), {}, extra=settings.extra, play=play.vars, magic={}, gather=False)
    scope = Scope(view)
    pattern = _pattern(play.hosts, scope)
    try:
        hosts = inventory.match(pattern, limit)
    except InputError as error:
        raise InputError(error.what, where=play.hosts.position, why=error.why, next=error.next) from None
    if not hosts:
        settings.emit(Notice(f"play {play.name or pattern!r}: no host matches {pattern!r}"))
    variables = dict(play.vars)
    for choices in play.vars_files:
        variables.update(_vars_file(choices, scope, play.base))
    tasks = tuple(
        task for task in play.tasks if task.meta == "flush" or selected(task.tags, settings.tags, settings.skip_tags)
    )
    setup = registry.get("setup")
    facts = Task(
        index=0,
        position=play.position,
        module=setup,
        title="gather facts",
        arguments=parse(setup, {}, play.position),
        any_errors_fatal=play.any_errors_fatal,
    )
    return BoundPlay(play, hosts, inventory, settings, variables=variables, tasks=tasks, facts_task=facts)


def _pattern(hosts: Placed, scope: Scope) -> str:
    found = _early(hosts, scope, "hosts")
    return ":".join(str(each) for each in found) if isinstance(found, list) else str(found)


def _early(wanted: Placed, scope: Scope, what: str) -> Any:
    try:
        return render(wanted.value, scope, wanted.position)
    except Signal as signal:
        raise InputError(f"{what} cannot depend on {signal}", where=wanted.position) from None
    except InputError as error:
        raise InputError(
            error.what,
            where=error.where,
            why=f"{what} is decided before any host is known: only --extra-vars and the play's vars can be used",
            next=error.next,
        ) from None


def _vars_file(choices: tuple[Placed, ...], scope: Scope, base: Path) -> dict[str, Value]:
    tried = []
    for choice in choices:
        path = base / str(_early(choice, scope, "vars_files"))
        tried.append(str(path))
        if path.is_file():
            root = read_yaml(path)
            return {} if root is None else reading.variables(root, f"{path}")
    raise InputError("no such vars file", where=choices[0].position, why=f"looked for {', '.join(tried)}")
