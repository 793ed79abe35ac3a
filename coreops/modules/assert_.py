"""assert: conditions that must hold, decided on the controller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from coreops.model import Record, Step, TaskResult
from coreops.modules.base import Arguments, Context, Module


def _conditions(value: Any) -> Any:
    """One condition or several; YAML reads `true` and `1` as what they are."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return tuple(str(one) if isinstance(one, (bool, int, float)) else one for one in values)


class AssertArguments(Arguments):
    that: Annotated[tuple[str, ...], BeforeValidator(_conditions)] = Field(
        min_length=1, description="Jinja2 expressions, without braces; all must be true."
    )
    fail_msg: str | list[str] | None = Field(
        None, validation_alias=AliasChoices("fail_msg", "msg"), description="What to say when one is not."
    )
    success_msg: str | list[str] | None = Field(None, description="What to say when all are.")
    quiet: bool = Field(False, description="Say nothing when all are.")


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
