"""ping: does the node answer with a working shell?"""

from __future__ import annotations

from collections.abc import Sequence

from coreops.model import Record, Step, TaskResult
from coreops.modules import readers
from coreops.modules.base import Context, Module
from coreops.modules.declared import Arguments, argument
from coreops.modules.results import outcome


class PingArguments(Arguments):
    data = argument(readers.text, "pong", description="The answer.")


class Ping(Module[PingArguments]):
    """Reaches the node and its shell, and comes back."""

    name = "ping"
    summary = "Reach a node and its shell"
    arguments = PingArguments
    example = """\
- name: Everybody there?
  ping:
"""

    def steps(self, args: PingArguments, context: Context) -> Sequence[Step]:
        return [context.step(probe=":\n")]

    def result(self, args: PingArguments, context: Context, records: Sequence[Record]) -> TaskResult:
        return outcome(records, {"ping": args.data})
