"""What a module is: arguments -> steps, records -> result. Knows no SSH and no engine.

One file per module in this folder; ``registry.py`` finds them by name. A module that only decides on the controller
(debug, assert, set_fact, fail) yields no steps, and ``result`` is called at once with no records.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from coreops.frozen import frozen
from coreops.model import Position, Record, ShellStep, Step, TaskResult
from coreops.modules.declared import Arguments

A = TypeVar("A", bound=Arguments)


@frozen
class Context:
    """What a module may know of the task it serves.

    id: prefix for step ids (append ``.0``, ``.1``, ... when there are several steps). base: the playbook's folder;
    ``find(kind, name)``, kind "files" or "templates", resolves a controller path as Ansible does (absolute, or below
    base/kind, or base) and raises InputError with the task's position when it is missing. template: render a Jinja2
    text with this host's variables. evaluate: the value of one Jinja2 expression (a condition of ``assert``, the name
    in ``debug: var=``); raises InputError. vars: this host's variables, templated on access. verbosity: how many -v.
    """

    id: str
    title: str
    host: str
    base: Path
    position: Position
    vars: Mapping[str, Any]
    template: Callable[[str, Position], str]
    find: Callable[[str, str], Path]
    evaluate: Callable[[str, Position], Any]
    env: Mapping[str, str] = field(default_factory=dict)
    check: bool = False
    diff: bool = False
    timeout: float = 600.0
    verbosity: int = 0

    def step(
        self,
        probe: str | None = None,
        act: str | None = None,
        *,
        id: str | None = None,
        timeout: float | None = None,
        **more: Any,
    ) -> ShellStep:
        """A ShellStep of this task; what is not given is the task's."""
        id = self.id if id is None else id
        timeout = self.timeout if timeout is None else timeout
        return ShellStep(id=id, title=self.title, probe=probe, act=act, timeout=timeout, **more)


class Module(ABC, Generic[A]):
    """One module. ``free_form`` names the argument that ``module: some text`` fills. ``example``: one task in YAML."""

    name: ClassVar[str]
    summary: ClassVar[str]
    example: ClassVar[str]
    arguments: ClassVar[type[Arguments]]
    free_form: ClassVar[str | None] = None

    @abstractmethod
    def steps(self, args: A, context: Context) -> Sequence[Step]:
        """Return what must hold on the node. Pure but for reading files on the controller. Raises InputError."""

    @abstractmethod
    def result(self, args: A, context: Context, records: Sequence[Record]) -> TaskResult:
        """Turn the records of all steps (in order; those after a failure are missing) into the task's result."""
