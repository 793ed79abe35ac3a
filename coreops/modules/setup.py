"""setup: the facts of a node, read in one probe of few processes. What it says is parsed, never executed."""

from __future__ import annotations

from collections.abc import Sequence

from coreops.model import Record, Step, TaskResult
from coreops.modules import readers
from coreops.modules.base import Context, Module
from coreops.modules.declared import Arguments, argument
from coreops.modules.facts import PROBE, parse_facts
from coreops.modules.results import outcome, text


class SetupArguments(Arguments):
    gather_subset = argument(
        readers.words, ("all",), description="Accepted for Ansible's sake; all facts come in one exchange."
    )
    gather_timeout = argument(readers.integer(at_least=1), 10, description="Accepted for Ansible's sake.")
    filter = argument(readers.words, (), description="Only facts whose names match one of these patterns.")
    fact_path = argument(readers.plain_text, "", description="Accepted for Ansible's sake; there are no local facts.")


class Setup(Module[SetupArguments]):
    """Gathers facts; they are in `ansible_facts` afterwards."""

    name = "setup"
    summary = "Gather facts about the node"
    arguments = SetupArguments
    example = """\
- name: Facts about addresses only
  setup:
    filter: ['*ipv4*', interfaces]
"""

    def steps(self, args: SetupArguments, context: Context) -> Sequence[Step]:
        return [
            context.step(
                probe=PROBE,
                timeout=min(context.timeout, 60.0),
            )
        ]

    def result(self, args: SetupArguments, context: Context, records: Sequence[Record]) -> TaskResult:
        if not records or records[-1].state != "ok":
            return outcome(records)
        return outcome(records, {"ansible_facts": parse_facts(text(records[-1].stdout), args.filter)})
