"""debug: show a message or a variable."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from coreops.model import Record, Step, TaskResult
from coreops.modules import readers
from coreops.modules.base import Context, Module
from coreops.modules.declared import Arguments, argument

# Ansible's own key: shown at every verbosity.
_SHOWN = {"_ansible_verbose_always": True}


class DebugArguments(Arguments):
    msg = argument(readers.anything, "Hello world!", description="What to show.")
    var = argument(
        readers.plain_text, None, description="A variable or expression to show, without braces, instead of `msg`."
    )
    verbosity = argument(readers.integer(at_least=0), 0, description="Only with this many `-v` or more.")

    def check(self) -> None:
        if self.var is not None and "msg" in self.given:
            raise ValueError("takes msg or var, one of them")


class Debug(Module[DebugArguments]):
    """Shows something. Changes nothing, reaches no node."""

    name = "debug"
    summary = "Show a message or a variable"
    arguments = DebugArguments
    example = """\
- name: What was found
  debug:
    var: member.stat.exists
"""

    def steps(self, args: DebugArguments, context: Context) -> Sequence[Step]:
        return ()

    def result(self, args: DebugArguments, context: Context, records: Sequence[Record]) -> TaskResult:
        if args.verbosity > context.verbosity:
            return TaskResult(skipped=True, data={"skipped_reason": "Verbosity threshold not met."})
        if args.var is None:
            return TaskResult(message=_show(args.msg), data={"msg": args.msg, **_SHOWN})
        value = context.evaluate(args.var, context.position)
        return TaskResult(message=f"{args.var}: {_show(value)}", data={args.var: value, **_SHOWN})


def _show(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, default=str, ensure_ascii=False)
