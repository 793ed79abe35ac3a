"""The operator's own tasks around a node's turn: an ordinary playbook, in which a task's tag says when it runs. Reads
files; connects to nothing.

Every mistake that can be seen without a node is found by ``load``. A hook runs on the node whose turn it is, as root.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from coreops.engine.program import Program, Wait
from coreops.errors import InputError, did_you_mean
from coreops.events import Emit, Event
from coreops.model import Record, Segment
from coreops.playbook.shipped import shipped

if TYPE_CHECKING:
    from coreops.inventory import Inventory
    from coreops.playbook import BoundPlay, Playbook
    from coreops.playbook.values import Value
    from coreops.playbook.vars import Scope

HOOKS = ("before_drain", "before_reboot", "after_reboot", "on_failure")
"""The tags; each one's task runs at the moment of that name."""

EXAMPLE: Mapping[str, str] = {"upgrade_version": "0.0.0", "upgrade_from": "0.0.0", "upgrade_slot": "A"}
"""What every hook is told, with values to look for mistakes with."""


class Hooks:
    """The hooks of one inventory. ``present``: those that have a task on some host."""

    def __init__(self, playbook: Playbook | None, inventory: Inventory, plays: Sequence[BoundPlay], emit: Emit) -> None:
        self._playbook = playbook
        self._inventory = inventory
        self._plays = plays
        self._emit = emit
        self._hosts = {name: frozenset(h for p in plays if _tagged(p, name) for h in p.hosts) for name in HOOKS}
        self.present = frozenset(name for name, hosts in self._hosts.items() if hosts)

    @classmethod
    def load(cls, path: Path | None, inventory: Inventory, *, emit: Emit | None = None) -> Self:
        """Read a playbook; None: no hooks. Raises InputError for what could never work, before anything is touched."""
        if path is None:
            return cls(None, inventory, (), emit or _silent)
        from coreops.playbook import bind, load_playbook, preflight

        playbook = load_playbook(path)
        plays = bind(playbook, inventory, emit=_silent, extra_vars=EXAMPLE)
        _check(plays)
        for name in (name for name in HOOKS if any(_tagged(play, name) for play in plays)):
            for error in preflight(bind(playbook, inventory, emit=_silent, extra_vars=EXAMPLE, tags=(name,))):
                raise error
        return cls(playbook, inventory, plays, emit or _silent)

    def has(self, name: str, host: str) -> bool:
        """Is there a task for this moment on this host?"""
        return host in self._hosts[name]

    def program(self, name: str, host: str, extra_vars: Mapping[str, Any]) -> Program | None:
        """The host's way through the tasks of one hook; None when it has none. ``extra_vars``: see EXAMPLE."""
        if self._playbook is None or not self.has(name, host):
            return None
        from coreops.playbook import bind

        plays = bind(
            self._playbook, self._inventory, emit=self._emit, extra_vars=extra_vars, tags=(name,), prefix=f"{name}."
        )  # a task with the tags of two hooks is two steps to the node, which remembers what it did by its id
        return InTurn([play.program(host, (host,)) for play in plays if host in play.hosts and play.tasks])

    def variables(self) -> Mapping[str, object]:
        """Every variable that a play sets, and where that play is."""
        return {name: play.play.position for play in self._plays for name in play.variables}

    def variable(self, host: str, name: str) -> tuple[Value, Scope, object] | None:
        """A variable that a play sets for this host: its value, what its templates see, and where the play is."""
        from coreops.playbook.vars import HostState, Scope

        for play in self._plays:
            if host in play.hosts and name in play.variables:
                view = play.scan_view(host, HostState(), frozenset())
                return play.variables[name], Scope(view), play.play.position
        return None


class InTurn:
    """Programs one after the other, until one fails."""

    failed_fatally = False

    def __init__(self, programs: Sequence[Program]) -> None:
        self._programs = list(programs)
        self._now: Program | None = None

    def next(self) -> Segment | Wait | None:
        while self.failure is None:
            found = self._now.next() if self._now else None
            if found is not None:
                return found
            if self.failure is not None or not self._programs:
                return None
            self._now = self._programs.pop(0)
        return None

    def feed(self, record: Record) -> None:
        assert self._now is not None
        self._now.feed(record)

    @property
    def failure(self) -> str | None:
        return self._now.failure if self._now else None

    def abandon(self) -> None:
        for program in [*([self._now] if self._now else []), *self._programs]:
            program.abandon()
        self._programs.clear()


def default_path() -> Path:
    """The packaged playbook, or the checkout's: examples, and no task."""
    return shipped("upgrade.yml")


def _tagged(play: BoundPlay, name: str) -> bool:
    return any(name in task.tags for task in play.tasks if task.meta != "flush")


def _check(plays: Sequence[BoundPlay]) -> None:
    """A task that no hook would ever run is a mistake, and most likely a misspelt tag."""
    for play in plays:
        for task in play.tasks:
            if task.meta == "flush" or task.tags & {*HOOKS, "always"}:
                continue
            near = next((hint for tag in sorted(task.tags) if (hint := did_you_mean(tag, HOOKS))), None)
            raise InputError(
                "this task would never run: none of its tags is a hook's",
                where=task.position,
                why=f"its tags are {', '.join(sorted(task.tags))}" if task.tags else "it has no tags",
                next=near or f"give it one of {', '.join(HOOKS)}",
            )


def _silent(event: Event) -> None:
    pass
