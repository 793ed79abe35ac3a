"""``coreops validate``: judge user-data before a machine reads it. Flags, reading and printing only."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from coreops.cloudconfig.validate.check import Verdict
    from coreops.cloudconfig.validate.finding import Finding

app = typer.Typer(add_completion=False)


@app.command(
    "validate",
    epilog="\b\nExamples:\n  coreops validate user-data\n  coreops validate cloud-configs/ --platform ec2\n"
    "  coreops validate node.ign --target ignition\n  coreops validate - --json < user-data",
)
def validate(
    path: Annotated[Path, typer.Argument(metavar="FILE|DIR|-", help="A file, a folder of files, or - for stdin.")],
    platform: Annotated[
        str | None, typer.Option("--platform", "-p", help="Where it will be used: its size limit and substitutions.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", "-t", help="What reads it: coreos, cloud-init, ignition, butane; else it is told."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a finding on stdout.")] = False,
) -> int:
    """Judge user-data: unknown keys, wrong types, traps, what the platform does not give.

    Takes CoreOS' cloud-config, cloud-init's, Ignition and Butane (flatcar), told from the file. One line a finding:
    file:line:col severity message (why; what to do) [rule]. Exit code 1 when there is an error, 2 when a file cannot be
    read or is no YAML or JSON, 0 with warnings only. In a folder: *.yml, *.yaml, *.ign, *.bu, names with user-data,
    user_data or cloud-config in them, and what begins with #cloud-config.
    """
    from coreops.cloudconfig.platforms.records import find
    from coreops.cloudconfig.validate.check import target_named
    from coreops.errors import ExitCode, counted

    where = find(platform) if platform else None
    if target:
        target_named(target)
    kinds, worst = Counter[str](), ExitCode.DONE
    totals = {"error": 0, "warning": 0, "info": 0}
    for verdict in _judged(path, where, target):
        kinds[verdict.kind] += 1
        for finding in verdict.findings:
            totals[finding.severity] += 1
            bad = finding.severity == "error" or (strict and finding.severity == "warning")
            code = ExitCode.BAD_INPUT if finding.unreadable else ExitCode.FAILED if bad else ExitCode.DONE
            worst = max(worst, code)
            _print(finding, verdict.kind, as_json)
    told = "" if target else _told(kinds)
    sums = ", ".join(counted(number, noun) for noun, number in totals.items() if number and noun != "info")
    typer.echo(f"{counted(kinds.total(), 'file')}{told}: {sums or 'no errors, no warnings'}", err=True)
    return worst


def _told(kinds: Counter[str]) -> str:
    """What files were taken for: ``, read as coreos``; ``(2 coreos, 1 ignition)``."""
    from coreops.cloudconfig.validate.target import NAMES

    known = {"not judged" if kind == "other" else kind: number for kind, number in sorted(kinds.items()) if kind}
    if len(kinds) == 1:
        return "".join(f", read as {kind}" if kind in NAMES else f", {kind}" for kind in known)
    return f" ({', '.join(f'{number} {kind}' for kind, number in known.items())})" if known else ""


def _judged(path: Path, platform: Any, target: str | None) -> Iterator[Verdict]:
    from coreops.cloudconfig.validate.check import Verdict, judge, unreadable
    from coreops.errors import InputError

    if str(path) == "-":
        from coreops.cloudconfig.validate.header import MOST

        yield judge(sys.stdin.buffer.read(MOST + 1), "<stdin>", platform, target)
        return
    for file in _files(path):
        try:
            data = _read(file)
        except InputError as error:
            yield Verdict("", (unreadable(error, str(file)),))
        else:
            yield judge(data, str(file), platform, target)


def _files(path: Path) -> list[Path]:
    from coreops.errors import InputError

    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if _wanted(file, path))
    if not found:
        raise InputError("no user-data in this folder", where=path, next="name a file")
    return found


def _wanted(file: Path, folder: Path) -> bool:
    if any(part.startswith(".") for part in file.relative_to(folder).parts) or not file.is_file():
        return False
    name = file.name.lower().removesuffix(".gz")
    if name.endswith((".yml", ".yaml", ".ign", ".bu")) or any(
        word in name for word in ("user-data", "user_data", "cloud-config")
    ):
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


def _print(finding: Finding, kind: str, as_json: bool) -> None:
    from coreops.report.text import clean

    if not as_json:
        typer.echo(clean(finding).replace("\n", " "))
        return
    at = finding.at
    parts: dict[str, Any] = {
        "file": at.file,
        "line": at.line,
        "column": at.column,
        "severity": finding.severity,
        "rule": finding.rule,
    }
    parts |= {"target": kind} if kind else {}
    more = {"message": finding.message, "why": finding.why, "next": finding.next, "source": finding.source}
    typer.echo(json.dumps(parts | {name: text for name, text in more.items() if text}))
