"""Runs one module's task through the real compiler and loader in a real shell of this machine.

For busybox every tool it has comes from it as well: what works there needs nothing of GNU.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coreops.errors import InputError
from coreops.model import Position, Record, Step, TaskResult
from coreops.modules import registry
from coreops.modules.arguments import parse
from coreops.modules.base import Context
from tests.support.shells import run_steps

HERE = Position("play.yml", 3, 5)
# What no name in a file system, and no argument, may turn into.
HOSTILE = (
    "a b",
    "q'uo\"te",
    "$(id)",
    "`id`",
    "-rf",
    "new\nline",
    "*",
    "\\n",
    "é\u2028",
    "%s",
    "!x",
    "a;b",
    "~",
    "{a,b}",
)

# The same in few names, for tests that run a task for each.
ODD = ("-rf a b'\"$(id)`id`\n*\\n%s!x;{a,b}\\é\u2028 ", "*", "~")


def applets(folder: Path) -> Path:
    """A folder with all of busybox's tools."""
    folder.mkdir(parents=True)
    subprocess.run(["busybox", "--install", "-s", str(folder)], check=True, capture_output=True)
    return folder


def context(base: Path = Path("/nonexistent"), **options: Any) -> Context:
    """A task's context, with just enough of a playbook layer."""

    def find(kind: str, name: str) -> Path:
        for place in (base / kind / name, base / name):
            if place.exists():
                return place
        raise InputError(f"no {name}", where=HERE)

    values: dict[str, Any] = options.pop("vars", {})
    defaults: dict[str, Any] = {
        "id": "t",
        "title": "the task",
        "host": "n1",
        "base": base,
        "position": HERE,
        "vars": values,
        "template": lambda text, position: text.replace("{{ name }}", str(values.get("name"))),
        "find": find,
        "evaluate": lambda text, position: eval(text, {}, dict(values)),
        "timeout": 30.0,
    }
    return Context(**(defaults | options))


@dataclass
class Node:
    """This machine, seen through one shell."""

    shell: str
    base: Path
    last: dict[str, Record] = field(default_factory=dict)

    def run(self, name: str, raw: Mapping[str, Any] | str | None = None, **options: Any) -> TaskResult:
        """Run a task. options: check, diff, env, vars."""
        module = registry.get(name)
        args = parse(module, raw, HERE)
        ctx = context(self.base, **options)
        steps = list(module.steps(args, ctx))
        records: list[Record] = []
        if steps:
            program, _ = run_steps(steps, self.shell, check=ctx.check, diff=ctx.diff)
            records = list(program.records.values())
        return module.result(args, ctx, records)

    def settles(self, name: str, raw: Mapping[str, Any] | str, holds: Callable[[], bool], **options: Any) -> TaskResult:
        """Check mode would change and does not; the task changes; a second one does not. Returns the first result."""
        assert not holds()
        would = self.run(name, raw, check=True, **options)
        assert (would.failed, would.changed) == (False, True), would
        assert not holds()
        result = self.run(name, raw, **options)
        assert (result.failed, result.changed) == (False, True), result
        assert holds()
        for check in (False, True):
            again = self.run(name, raw, check=check, **options)
            assert (again.failed, again.changed) == (False, False), again
        assert holds()
        return result


def steps_of(
    name: str, raw: Mapping[str, Any] | str | None, base: Path = Path("/nonexistent"), **options: Any
) -> list[Step]:
    """The steps of a task."""
    module = registry.get(name)
    return list(module.steps(parse(module, raw, HERE), context(base, **options)))


def is_root() -> bool:
    return os.geteuid() == 0
