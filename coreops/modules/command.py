"""command: one program with its arguments, no shell in between."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from coreops.model import Record, Step, TaskResult
from coreops.modules import readers
from coreops.modules.base import Context, Module
from coreops.modules.declared import argument
from coreops.modules.running import WithStdin, free_form, ran, running_step, words
from coreops.shell.quote import q

_VARIABLE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})", re.ASCII)


class CommandArguments(WithStdin):
    cmd = argument(
        readers.text,
        None,
        aliases=("_raw_params", "free_form"),
        description="The command line, split into words as a shell would. May stand right behind `command:`.",
    )
    argv = argument(readers.texts, None, description="The words themselves, instead of `cmd`.")
    expand_argument_vars = argument(
        readers.boolean, True, description="Replace `$NAME` and `${NAME}` by variables of the node."
    )

    @classmethod
    def prepare(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        return free_form(raw, "cmd")

    def check(self) -> None:
        if (self.cmd is None) == (self.argv is None):
            raise ValueError("needs cmd or argv, one of them")
        line = self.line()
        if not line or not line[0]:
            raise ValueError("there is no command")
        if line[0].startswith("-"):
            raise ValueError(f"{line[0]!r} is an option, not a command")

    def line(self) -> list[str]:
        """The words."""
        return list(self.argv) if self.argv is not None else words(self.cmd or "")


class Command(Module[CommandArguments]):
    """Runs a program. Pipes, redirections and patterns are for shell."""

    name = "command"
    summary = "Run a program, without a shell"
    arguments = CommandArguments
    free_form = "free_form"
    example = """\
- name: Make a key once
  command:
    argv: [openssl, genrsa, -out, /etc/ssl/node key.pem, '4096']
    creates: /etc/ssl/node key.pem
"""

    def steps(self, args: CommandArguments, context: Context) -> Sequence[Step]:
        quote = _expand if args.expand_argument_vars else q
        # exec: a program, never a builtin of the shell that has the same name (echo, printf, test).
        act = "exec " + " ".join(quote(word) for word in args.line())
        given = args.input()
        if given is None:
            return [running_step(args, context, act + "\n")]
        return [running_step(args, context, act + ' <"$blob1"\n', given)]

    def result(self, args: CommandArguments, context: Context, records: Sequence[Record]) -> TaskResult:
        return ran(args, context, records, args.line())


def _expand(word: str) -> str:
    """Quote a word, but for the names of variables; one that is not set stays as it is written."""
    out, end = [], 0
    for match in _VARIABLE.finditer(word):
        if match.start() > end:
            out.append(q(word[end : match.start()]))
        name = match[1] or match[2]
        written = "\\" + match[0].replace("}", "\\}")
        out.append(f'"${{{name}-{written}}}"')
        end = match.end()
    if end < len(word) or not word:
        out.append(q(word[end:]))
    return "".join(out)
