"""A play tied to its hosts: batches, what all hosts share, and the programs that walk it. Pure.

``coreops.engine.plays.Play`` describes what the engine uses of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from coreops.events import Emit
from coreops.frozen import frozen
from coreops.playbook import work
from coreops.playbook.conditions import truth
from coreops.playbook.hostvars import HostVars, OtherHost
from coreops.playbook.load_task import check_handler
from coreops.playbook.plays import Play, Task
from coreops.playbook.program import HostProgram
from coreops.playbook.strategy import STRATEGIES, Free
from coreops.playbook.values import Value, texts
from coreops.playbook.vars import CONNECTION, HostState, Scope, View

_FACT = re.compile(r"\b(?:ansible_[a-z0-9_]+|facts)\b")


class Hosts(Protocol):
    """What a play needs of an inventory."""

    @property
    def hosts(self) -> Mapping[str, Any]: ...
    @property
    def groups(self) -> Mapping[str, Any]: ...
    @property
    def base(self) -> Path: ...
    def vars(self, host: str) -> Mapping[str, Any]: ...
    def group_names(self, host: str) -> tuple[str, ...]: ...
    def members(self, group: str) -> tuple[str, ...]: ...


@frozen(kw_only=True)
class Settings:
    """What the operator asked for, the same for all plays. states: what each host has learnt so far in this run.

    prefix: what the ids of steps begin with. Nodes remember, by its id, what they did once in a run.
    """

    emit: Emit
    extra: Mapping[str, Value] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()
    skip_tags: frozenset[str] = frozenset()
    check: bool = False
    diff: bool = False
    timeout: float = 600.0
    verbosity: int = 0
    prefix: str = ""
    states: dict[str, HostState] = field(default_factory=dict)


class BoundPlay:
    """A play and its hosts. become: some task becomes root, so connections are to be opened with sudo."""

    def __init__(
        self,
        play: Play,
        hosts: tuple[str, ...],
        inventory: Hosts,
        settings: Settings,
        *,
        variables: Mapping[str, Value],
        tasks: tuple[Task, ...],
        facts_task: Task,
    ) -> None:
        self.play = play
        self.hosts = hosts
        self.tasks = tasks
        self.handlers = play.handlers
        self.facts_task = facts_task
        self.settings = settings
        self.inventory = inventory
        self.variables = variables
        self.ended = False
        self.index = play.index
        self.id = f"{settings.prefix}p{play.index}"
        self.name = play.name or self.pattern
        self.any_errors_fatal = play.any_errors_fatal
        self.max_fail_percentage = play.max_fail_percentage
        self.base = play.base
        self.emit = settings.emit
        self.check = settings.check
        self.diff = settings.diff
        self.timeout = settings.timeout
        self.verbosity = settings.verbosity
        self.strategy = Free()
        self._batch: tuple[str, ...] = ()
        self._others: dict[str, OtherHost] = {}

    @property
    def pattern(self) -> str:
        value = self.play.hosts.value
        return str(value.evaluate(None)) if value.static else "hosts"  # type: ignore[arg-type]

    @cached_property
    def become(self) -> bool:
        """Does any task of this play become another user on some host?"""
        wanted = (task.become for task in (*self.tasks, *self.handlers))
        if any(each is not None and (not each.value.static or truth(each.value.evaluate(None))) for each in wanted):  # type: ignore[arg-type]
            return True
        return any(self.become_of(host) for host in self.hosts)

    def become_of(self, host: str) -> bool:
        """What the inventory says of a host's tasks that do not say it themselves."""
        return truth(self.inventory.vars(host).get("ansible_become", False))

    def batches(self) -> Sequence[tuple[str, ...]]:
        """The hosts in the groups that ``serial`` makes of them; the last size repeats."""
        if not self.hosts:
            return ()
        sizes = [_size(each, len(self.hosts)) for each in self.play.serial] or [len(self.hosts)]
        batches: list[tuple[str, ...]] = []
        start = 0
        while start < len(self.hosts):
            size = sizes[min(len(batches), len(sizes) - 1)]
            batches.append(self.hosts[start : start + size])
            start += size
        return batches

    def program(self, host: str, batch_hosts: tuple[str, ...]) -> HostProgram:
        """One host's way through this play. All programs of a batch are to be made before the first one is driven."""
        if batch_hosts is not self._batch:
            self._batch = batch_hosts
            for other in self.settings.states.keys() - set(batch_hosts):
                self.settings.states[other].finished = True
            self.strategy = STRATEGIES[self.play.strategy](
                gather=bool(self.play.gather_facts),
                any_errors_fatal=self.any_errors_fatal,
                max_fail_percentage=self.max_fail_percentage,
            )
        state = self.state(host)
        own = self.view(host, state, self._magic, {})
        hostvars = HostVars(self.inventory.hosts, self._other, own)
        magic = {**self._magic, "hostvars": _always(hostvars), "ansible_play_batch": lambda _: list(batch_hosts)}
        return HostProgram(self, host, self.view(host, state, magic, self.variables))

    def state(self, host: str) -> HostState:
        """What a host has learnt in this run."""
        return self.settings.states.setdefault(host, HostState())

    def view(
        self, host: str, state: HostState, magic: Mapping[str, Callable[[str], Any]], play: Mapping[str, Value]
    ) -> View:
        """The layers of variables of one host."""
        return View(
            host,
            state,
            self.inventory.vars(host),
            extra=self.settings.extra,
            play=play,
            magic=magic,
            gather=self.play.gather_facts is not False,
        )

    @cached_property
    def mentions_facts(self) -> bool:
        """Does a template of this play name a fact? Then facts come along with the first exchange that has to end."""
        if self.play.gather_facts is False:
            return False
        values = [
            *self.variables.values(),
            *(value for task in (*self.tasks, *self.handlers) for value in task.values()),
        ]
        names = {name for value in values for source in texts(value) for name in _FACT.findall(source)}
        return bool(names - CONNECTION - self._magic.keys())

    @cached_property
    def dynamic(self) -> frozenset[str]:
        """Every name that a task of this play may give to a host."""
        names: set[str] = set()
        for task in (*self.tasks, *self.handlers):
            if task.register:
                names.add(task.register)
            if task.module is not None and task.module.name == "set_fact":
                names.update(task.args)
        return frozenset(names)

    def notified(self, task: Task, scope: Scope) -> set[int]:
        """The handlers that a task notifies."""
        found: set[int] = set()
        for each in task.notify:
            wanted = work.setting(each, scope, [])
            for name in wanted if isinstance(wanted, list) else [wanted]:
                found |= self._handlers_by_name[check_handler(name, each.position, frozenset(self._handlers_by_name))]
        return found

    @cached_property
    def _handlers_by_name(self) -> dict[str, set[int]]:
        found: dict[str, set[int]] = {}
        for handler in self.handlers:
            names = [*handler.listen, *([handler.title] if handler.name is not None else [])]
            for name in names:
                found.setdefault(name, set()).add(handler.index)
        return found

    @cached_property
    def _groups(self) -> dict[str, list[str]]:
        return {name: list(self.inventory.members(name)) for name in self.inventory.groups}

    @cached_property
    def _magic(self) -> dict[str, Callable[[str], Any]]:
        play_hosts = list(self.hosts)
        settings = self.settings
        fixed: dict[str, Any] = {
            "groups": self._groups,
            "play_hosts": play_hosts,
            "ansible_play_hosts": play_hosts,
            "ansible_play_hosts_all": play_hosts,
            "ansible_play_name": self.name,
            "inventory_dir": str(self.inventory.base.resolve()),
            "playbook_dir": str(self.base.resolve()),
            "ansible_check_mode": self.check,
            "ansible_diff_mode": self.diff,
            "ansible_run_tags": sorted(settings.tags) or ["all"],
            "ansible_skip_tags": sorted(settings.skip_tags),
            "ansible_verbosity": self.verbosity,
            "ansible_managed": "Managed by coreops",
        }
        return {
            **{name: _always(value) for name, value in fixed.items()},
            "inventory_hostname": lambda host: host,
            "inventory_hostname_short": lambda host: host.split(".")[0],
            "group_names": lambda host: list(self.inventory.group_names(host)),
        }

    def _other(self, host: str) -> OtherHost:
        found = self._others.get(host)
        if found is None:
            state = self.state(host)
            view = self.view(host, state, self._magic, {})
            found = self._others[host] = OtherHost(view, state, self.dynamic, lambda: self.strategy.waits(host))
        return found

    def scan_view(self, host: str, state: HostState, dynamic: frozenset[str]) -> View:
        """A view for looking ahead: other hosts' values are all unknown yet, and nothing done with it lasts."""

        def other(name: str) -> OtherHost:
            unfinished = HostState()
            unfinished.finished = False
            return OtherHost(self.view(name, HostState(), self._magic, {}), unfinished, dynamic, lambda: False)

        hostvars = HostVars(self.inventory.hosts, other, self.view(host, state, self._magic, {}))
        magic = {**self._magic, "hostvars": _always(hostvars), "ansible_play_batch": _always(list(self.hosts))}
        return self.view(host, state, magic, self.variables)


def _always(value: Any) -> Callable[[str], Any]:
    return lambda _: value


def _size(wanted: int | str, total: int) -> int:
    if isinstance(wanted, int):
        return wanted
    return max(1, int(wanted.removesuffix("%")) * total // 100)
