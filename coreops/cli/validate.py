"""``coreops validate``: judge cloud-config files before a machine reads them. Flags, reading and printing only."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from coreops.cloudconfig.validate.finding import Finding

app = typer.Typer(add_completion=False)


@app.command(
    "validate",
    epilog="\b\nExamples:\n  coreops validate user-data\n  coreops validate cloud-configs/ --platform ec2\n"
    "  coreops validate - --json < user-data",
)
def validate(
    path: Annotated[Path, typer.Argument(metavar="FILE|DIR|-", help="A file, a folder of files, or - for stdin.")],
    platform: Annotated[
        str | None, typer.Option("--platform", "-p", help="Where it will be used: its size limit and substitutions.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a finding on stdout.")] = False,
) -> int:
    """Judge files in CoreOS' cloud-config: unknown keys, wrong types, traps, what the platform does not give.

    One line a finding: file:line:col severity message (why; what to do) [rule]. Exit code 1 when there is an error, 2
    when a file cannot be read or is no YAML, 0 with warnings only. In a folder: *.yml, *.yaml, names with user-data,
    user_data or cloud-config in them, and what begins with #cloud-config.
    """
    from coreops.cloudconfig.platforms.records import find
    from coreops.errors import ExitCode, counted

    where = find(platform) if platform else None
    count, worst = 0, ExitCode.DONE
    totals = {"error": 0, "warning": 0, "info": 0}
    for findings in _judged(path, where):
        count += 1
        for finding in findings:
            totals[finding.severity] += 1
            bad = finding.severity == "error" or (strict and finding.severity == "warning")
            code = ExitCode.BAD_INPUT if finding.unreadable else ExitCode.FAILED if bad else ExitCode.DONE
            worst = max(worst, code)
            _print(finding, as_json)
    sums = ", ".join(counted(number, noun) for noun, number in totals.items() if number and noun != "info")
    typer.echo(f"{counted(count, 'file')}: {sums or 'no errors, no warnings'}", err=True)
    return worst


def _judged(path: Path, platform: Any) -> Iterator[tuple[Finding, ...]]:
    from coreops.cloudconfig.validate.check import check, unreadable
    from coreops.errors import InputError

    if str(path) == "-":
        from coreops.cloudconfig.validate.header import MOST

        yield check(sys.stdin.buffer.read(MOST + 1), "<stdin>", platform)
        return
    for file in _files(path):
        try:
            data = _read(file)
        except InputError as error:
            yield (unreadable(error, str(file)),)
        else:
            yield check(data, str(file), platform)


def _files(path: Path) -> list[Path]:
    from coreops.errors import InputError

    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if _wanted(file, path))
    if not found:
        raise InputError("no cloud-config in this folder", where=path, next="name a file")
    return found


def _wanted(file: Path, folder: Path) -> bool:
    if any(part.startswith(".") for part in file.relative_to(folder).parts) or not file.is_file():
        return False
    name = file.name.lower()
    if name.endswith((".yml", ".yaml")) or any(word in name for word in ("user-data", "user_data", "cloud-config")):
        return True
    try:
        with file.open("rb") as stream:
            return b"#cloud-config" in stream.read(64)
    except OSError:
        return True  # reading it all will say why


def _read(file: Path) -> bytes:
    """The bytes of a file, as many as are judged. Raises InputError."""
    from coreops.cloudconfig.validate.header import MOST
    from coreops.errors import InputError

    try:
        if file.exists() and not file.is_file():
            raise InputError("not a regular file", where=file)
        with file.open("rb") as stream:
            return stream.read(MOST + 1)
    except (OSError, ValueError) as error:
        raise InputError(
            "cannot read the file", where=file, why=getattr(error, "strerror", None) or str(error)
        ) from None


def _print(finding: Finding, as_json: bool) -> None:
    from coreops.report.text import clean

    if not as_json:
        typer.echo(clean(finding).replace("\n", " "))
        return
    at = finding.at
    parts = {"file": at.file, "line": at.line, "column": at.column, "severity": finding.severity, "rule": finding.rule}
    more = {"message": finding.message, "why": finding.why, "next": finding.next, "source": finding.source}
    typer.echo(json.dumps(parts | {name: text for name, text in more.items() if text}))
