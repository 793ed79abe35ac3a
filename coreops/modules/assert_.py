"""assert: conditions that must hold, decided on the controller."""

from __future__ import annotations

from collections.abc import Sequence

from coreops.model import Record, Step, TaskResult
from coreops.modules import readers
from coreops.modules.base import Context, Module
from coreops.modules.declared import Arguments, Reader, argument


def _conditions(value: object) -> object:
    """One condition or several; YAML reads `true` and `1` as what they are."""
    values = value if isinstance(value, (list, tuple)) else [value]
    if not values:
        raise ValueError("needs at least one condition")
    return [str(one) if isinstance(one, bool) else one for one in values]


def _lines_or_text(value: object) -> str | list[str]:
    return (
        list(readers.several(readers.plain_text).read(value))
        if isinstance(value, (list, tuple))
        else readers.plain_text.read(value)
    )


_that = readers.several(readers.plain_text).after(_conditions)
_said = Reader("text or list", _lines_or_text)


class AssertArguments(Arguments):
    that = argument(_that, description="Jinja2 expressions, without braces; all must be true.")
    fail_msg = argument(_said, None, aliases=("msg",), description="What to say when one is not.")
    success_msg = argument(_said, None, description="What to say when all are.")
    quiet = argument(readers.boolean, False, description="Say nothing when all are.")


class Assert(Module[AssertArguments]):
    """Checks conditions on variables, facts and registered results."""

    name = "assert"
    summary = "Fail unless conditions hold"
    arguments = AssertArguments
    example = """\
- name: The node is new enough
  assert:
    that:
      - ansible_facts.memtotal_mb >= 512
      - ansible_facts.architecture == 'x86_64'
    fail_msg: This node is too small for etcd.
"""

    def steps(self, args: AssertArguments, context: Context) -> Sequence[Step]:
        return ()

    def result(self, args: AssertArguments, context: Context, records: Sequence[Record]) -> TaskResult:
        for condition in args.that:
            if not context.evaluate(condition, context.position):
                said = _lines(args.fail_msg) or "Assertion failed"
                data = {"assertion": condition, "evaluated_to": False, "msg": args.fail_msg or said}
                return TaskResult(failed=True, message=f"{said}: {condition} is not true", data=data)
        said = "" if args.quiet else _lines(args.success_msg) or "All assertions passed"
        return TaskResult(message=said, data={"msg": args.success_msg or "All assertions passed"})


def _lines(value: str | list[str] | None) -> str:
    return "\n".join(value) if isinstance(value, list) else value or ""
