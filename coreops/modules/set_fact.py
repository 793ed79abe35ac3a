"""set_fact: variables of a host, from here to the end of the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coreops.model import Record, Step, TaskResult
from coreops.modules import readers
from coreops.modules.base import Context, Module
from coreops.modules.declared import Arguments, argument


class SetFactArguments(Arguments):
    takes_more = True

    cacheable = argument(
        readers.boolean, False, description="Accepted for Ansible's sake; facts live as long as the run."
    )

    def check(self) -> None:
        if not self.facts():
            raise ValueError("no variable is given; write them as name: value")
        for name in self.facts():
            if not name.isidentifier():
                raise ValueError(f"{name!r} is not a name for a variable; letters, digits and _ only")

    def facts(self) -> dict[str, Any]:
        """What is set."""
        return dict(self.more)


class SetFact(Module[SetFactArguments]):
    """Sets variables of this host."""

    name = "set_fact"
    summary = "Set variables for the rest of the run"
    arguments = SetFactArguments
    example = """\
- name: Where the others find this member
  set_fact:
    peer_url: "https://{{ ansible_facts.default_ipv4.address }}:2380"
"""

    def steps(self, args: SetFactArguments, context: Context) -> Sequence[Step]:
        return ()

    def result(self, args: SetFactArguments, context: Context, records: Sequence[Record]) -> TaskResult:
        return TaskResult(data={"ansible_facts": args.facts()})
