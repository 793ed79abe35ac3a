"""shell: text that a shell runs, with all a shell can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coreops.model import Record, Step, TaskResult
from coreops.modules import readers
from coreops.modules.base import Context, Module
from coreops.modules.declared import argument
from coreops.modules.running import WithStdin, free_form, ran, running_step
from coreops.shell.quote import path, q


class ShellArguments(WithStdin):
    cmd = argument(
        readers.text,
        aliases=("_raw_params", "free_form"),
        description="What the shell runs. May stand right behind `shell:`.",
    )
    executable = argument(readers.text, None, description="The shell. Default: `/bin/sh`.")

    @classmethod
    def prepare(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        return free_form(raw, "cmd")


class Shell(Module[ShellArguments]):
    """Runs text in a shell. Quote what you template in: `{{ name | quote }}`."""

    name = "shell"
    summary = "Run a line or a script in a shell"
    arguments = ShellArguments
    free_form = "free_form"
    example = """\
- name: The largest logs
  shell: du -s /var/log/* | sort -n | tail -n 3
  changed_when: false
"""

    def steps(self, args: ShellArguments, context: Context) -> Sequence[Step]:
        given = args.input()
        if args.executable is None and given is None:
            act = args.cmd + "\n"
        else:
            act = f"exec {path(args.executable or '/bin/sh')} -c {q(args.cmd)}"
            act += ' <"$blob1"\n' if given else "\n"
        return [running_step(args, context, act, *([given] if given else []))]

    def result(self, args: ShellArguments, context: Context, records: Sequence[Record]) -> TaskResult:
        return ran(args, context, records, args.cmd)
