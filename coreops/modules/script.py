"""script: a program of the controller, run on the node with arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from coreops.model import Record, Step, TaskResult
from coreops.modules import readers
from coreops.modules.base import Context, Module
from coreops.modules.copy import read
from coreops.modules.declared import argument
from coreops.modules.running import Running, free_form, ran, running_step, words
from coreops.shell.quote import join

_SHEBANG = re.compile(rb"#!\s*(\S+)[ \t]*([^\n]*?)\s*\n")


class ScriptArguments(Running):
    cmd = argument(
        readers.text,
        aliases=("_raw_params", "free_form"),
        description="Path of the script on the controller (absolute, or below the playbook or its `files/`), then its "
        "arguments. May stand right behind `script:`.",
    )
    executable = argument(
        readers.text, None, description="What runs the script. Default: its `#!` line, else `/bin/sh`."
    )

    @classmethod
    def prepare(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        return free_form(raw, "cmd")

    def check(self) -> None:
        if not words(self.cmd):
            raise ValueError("there is no script")


class Script(Module[ScriptArguments]):
    """Sends a script and runs it."""

    name = "script"
    summary = "Run a script of the controller on the node"
    arguments = ScriptArguments
    free_form = "free_form"
    example = """\
- name: Prepare the disk
  script: prepare-disk.sh /dev/vdb 'data disk'
  args:
    creates: /dev/disk/by-label/data
"""

    def steps(self, args: ScriptArguments, context: Context) -> Sequence[Step]:
        source, *rest = words(args.cmd)
        blob = read(context.find("files", source), context)
        head = blob.data if blob.data is not None else b""
        interpreter = words(args.executable) if args.executable else _interpreter(head)
        tail = f" {join(rest)}" if rest else ""
        start = _BINARY + '"$program"' if interpreter is None else f'exec {join(interpreter)} "$blob1"'
        return [running_step(args, context, f"{start}{tail}\n", blob)]

    def result(self, args: ScriptArguments, context: Context, records: Sequence[Record]) -> TaskResult:
        return ran(args, context, records, args.cmd)


def _interpreter(head: bytes) -> list[str] | None:
    """What the kernel would start for this script; None for a program that starts by itself."""
    if head.startswith(b"\x7fELF") or b"\0" in head[:512] or not head:
        return None
    match = _SHEBANG.match(head)
    if match is None:
        return ["/bin/sh"]
    return [part.decode("utf-8", "surrogateescape") for part in match.groups() if part]


_BINARY = """\
program=$(mktemp) || exit 1
trap 'rm -f -- "$program"' EXIT
cat -- "$blob1" >"$program" && chmod 0700 "$program" || exit 1
"""
