"""What command, shell and script share: creates and removes, stdin, and the result of a program that ran."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from coreops.model import Blob, Record, ShellStep, TaskResult
from coreops.modules import readers
from coreops.modules.base import Context
from coreops.modules.declared import Arguments, argument
from coreops.modules.results import failure, output, reason
from coreops.shell.quote import glob, q

_OPTION = re.compile(r"(?:^|(?<=\s))(creates|removes|chdir|executable)=")


def _absolute(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError(f"{value!r} is not an absolute path")
    return value


class Running(Arguments):
    """Where a program runs, and when it need not."""

    chdir = argument(readers.text.then(_absolute), None, description="The folder to run in.")
    creates = argument(readers.text, None, description="Do not run when this path (or a match of this pattern) exists.")
    removes = argument(readers.text, None, description="Run only when this path (or a match of this pattern) exists.")
    strip_empty_ends = argument(
        readers.boolean, True, description="Take the newlines off the end of stdout and stderr."
    )


class WithStdin(Running):
    """A program that can be given input."""

    stdin = argument(
        readers.plain_text, None, description="Text for the program's standard input. It does not show in argv."
    )
    stdin_add_newline = argument(readers.boolean, True, description="End `stdin` with a newline.")

    def input(self) -> Blob | None:
        """stdin as it is sent."""
        if self.stdin is None:
            return None
        return Blob.of((self.stdin + ("\n" if self.stdin_add_newline else "")).encode("utf-8", "surrogateescape"))


def free_form(raw: Mapping[str, Any], target: str) -> Mapping[str, Any]:
    """Move ``free_form`` (``echo hi creates=/x``) into ``target`` and the options named in it. Raises ValueError."""
    if "free_form" not in raw:
        return raw
    raw = dict(raw)
    text = raw.pop("free_form")
    if not isinstance(text, str):
        raise ValueError("the command is not a text")
    options: dict[str, str] = {}
    start = 0
    while match := _OPTION.search(text, start):
        start = match.end()
        if _balanced(text[: match.start()]):
            value, end = _value(text, match.end())
            options[match[1]] = value
            text, start = text[: match.start()] + text[end:].lstrip(" "), match.start()
    if target in raw:
        raise ValueError(f"the command stands there twice: as text and as {target}")
    return {**options, **raw, target: text.strip()}


def _balanced(text: str) -> bool:
    try:
        shlex.split(text)
    except ValueError:
        return False
    return True


def _value(text: str, start: int) -> tuple[str, int]:
    """The word that begins at ``start``, and where it ends."""
    if text[start : start + 1] in ("'", '"'):
        end = text.find(text[start], start + 1)
        if end < 0:
            raise ValueError(f"no closing quotation mark: {text[start:]}")
        return text[start + 1 : end], end + 1
    match = re.compile(r"\S*").match(text, start)
    assert match is not None
    return match[0], match.end()


def words(text: str) -> list[str]:
    """Split as a shell would, without any expansion. Raises ValueError."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ValueError(f"cannot split {text!r} into words: {str(error).lower()}") from None


def running_step(args: Running, context: Context, act: str, *blobs: Blob) -> ShellStep:
    """The step that runs ``act``. Without creates or removes nobody can tell whether it is needed: it runs once."""
    probe = _probe(args)
    return context.step(
        probe=probe,
        act=act,
        blobs=blobs,
        env=context.env,
        cwd=args.chdir or "/",
        once=probe is None,
    )


def _probe(args: Running) -> str | None:
    if args.creates is None and args.removes is None:
        return None
    lines = ['there() { for one do [ ! -e "$one" ] && [ ! -L "$one" ] || return 0; done; return 1; }\n']
    for name, value, sense in (("creates", args.creates, "!"), ("removes", args.removes, "")):
        if value is not None:
            word = "exists" if name == "creates" else "does not exist"
            skip = f"{{ printf '%s\\n' {q(f'skipped, since {value} {word}')}; exit 0; }}"
            lines.append(f"{'! ' if sense else ''}there {glob(value)} || {skip}\n")
    return "".join(lines) + "exit 1\n"


def ran(args: Running, context: Context, records: Sequence[Record], command: str | list[str]) -> TaskResult:
    """The result, in the keys Ansible uses."""
    data: dict[str, Any] = {"cmd": command}
    record = records[-1] if records else None
    if record is None:
        return TaskResult(data={**data, "rc": 0})
    if record.state == "skipped":
        message = "not run in check mode: only running it would tell"
        return TaskResult(skipped=True, message=message, data={**data, "msg": message, "rc": 0})
    data |= output(record, strip=args.strip_empty_ends)
    if record.state == "would":
        return TaskResult(changed=True, data={"cmd": command, "rc": 0, "stdout": "", "stdout_lines": [], "stderr": ""})
    if record.state == "ok":
        return TaskResult(data={**data, "msg": f"Did not run command: {data['stdout']}"})
    if bad := failure(records):
        quiet = not record.stdout.strip() and not record.stderr.strip()
        said = f"non-zero return code {record.rc}" + ("" if quiet else f": {reason(record)}")
        said = bad if record.state == "unknown" else said
        return TaskResult(failed=True, message=said, data={**data, "msg": "non-zero return code"}, changed=True)
    return TaskResult(changed=True, data=data)
