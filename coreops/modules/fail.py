"""fail: end the play for this host, on purpose."""

from __future__ import annotations

from collections.abc import Sequence

from coreops.model import Record, Step, TaskResult
from coreops.modules import readers
from coreops.modules.base import Context, Module
from coreops.modules.declared import Arguments, argument


class FailArguments(Arguments):
    msg = argument(readers.plain_text, "Failed as requested from task", description="Why.")


class Fail(Module[FailArguments]):
    """Fails with a message. Usually with `when:`."""

    name = "fail"
    summary = "Fail with a message"
    arguments = FailArguments
    example = """\
- name: Even clusters are refused
  fail:
    msg: An even number of members is no better than one less.
  when: groups.store | length is divisibleby 2
"""

    def steps(self, args: FailArguments, context: Context) -> Sequence[Step]:
        return ()

    def result(self, args: FailArguments, context: Context, records: Sequence[Record]) -> TaskResult:
        return TaskResult(failed=True, message=args.msg, data={"msg": args.msg})
