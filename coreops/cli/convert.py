"""``coreops convert``: a file for coreos-cloudinit becomes what runs today. Flags, reading, writing, printing only."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from coreops.cloudconfig.convert.convert import Converted

app = typer.Typer(add_completion=False)


@app.command(
    "convert",
    epilog="\b\nExamples:\n  coreops convert user-data --to ignition --address private_ipv4=10.0.0.1 -o node.ign\n"
    "  coreops convert user-data --to butane --platform ec2 --allow-loss\n"
    "  coreops convert - --to cloud-init --allow-loss < user-data > cloud-init.yaml",
)
def convert(
    path: Annotated[Path, typer.Argument(metavar="FILE|-", help="A cloud-config or script; - for stdin.")],
    target: Annotated[
        str, typer.Option("--to", "-t", metavar="TARGET", help="ignition, cloud-init, butane or coreos (tidied up).")
    ],
    spec: Annotated[
        str | None, typer.Option("--spec", metavar="V", help="Of Ignition: 3.3.0 (default) or 3.4.0; also for butane.")
    ] = None,
    platform: Annotated[
        str | None, typer.Option("--platform", "-p", help="Where it will run: what can fill in addresses, the limit.")
    ] = None,
    address: Annotated[
        list[str] | None,
        typer.Option("--address", "-a", metavar="NAME=ADDRESS", help="Fill in $NAME, e.g. private_ipv4=10.0.0.1."),
    ] = None,
    allow_loss: Annotated[
        bool, typer.Option("--allow-loss", help="Go on without the keys that the target cannot express.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write here, not to stdout.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as one JSON object a line, on stderr.")] = False,
) -> None:
    """Turn a file for coreos-cloudinit into Ignition, Butane or cloud-init, and say what becomes of each key.

    The result goes to stdout, the report to stderr: `ignored` (the old machine did not read it either), `changed`
    (written otherwise), `note` (runs otherwise), `lost` (exit code 2 without --allow-loss).
    """
    from coreops.cloudconfig.convert.convert import convert as run
    from coreops.cloudconfig.convert.options import check_spec, check_target, read_addresses
    from coreops.cloudconfig.platforms.records import find
    from coreops.errors import InputError, counted

    check_target(target)
    checked = check_spec(target, spec)
    where = find(platform) if platform else None
    known = read_addresses(address or [])
    data = _read(path)
    done = run(data, _name(path), target, spec=checked, platform=where, addresses=known)
    _report(done, as_json)
    if done.losses and not allow_loss:
        raise InputError(
            f"{counted(len(done.losses), 'key')} would be lost on the way to {target}",
            where=_name(path),
            why="they are listed above as lost",
            next="remove them from the file, or accept the loss with --allow-loss",
        )
    if output is None:
        typer.echo(done.data, nl=False)
    else:
        _write(output, done.data, path)


def _name(path: Path) -> str:
    return "<stdin>" if str(path) == "-" else str(path)


def _read(path: Path) -> bytes:
    from coreops.cli.validate import _read as read
    from coreops.cloudconfig.validate.header import MOST

    return sys.stdin.buffer.read(MOST + 1) if str(path) == "-" else read(path)


def _report(done: Converted, as_json: bool) -> None:
    from coreops.report.text import clean

    for line in _lines(done):
        typer.echo(json.dumps(line) if as_json else clean(line["text"]).replace("\n", " "), err=True)


def _lines(done: Converted) -> list[dict[str, Any]]:
    """The report as data; text: the line that a reader sees."""
    found: list[dict[str, Any]] = [
        {"kind": each.severity, "text": str(each), "message": each.message, "why": each.why, "next": each.next}
        | {"file": each.at.file, "line": each.at.line, "column": each.at.column, "rule": each.rule}
        for each in done.findings
    ]
    for note in done.notes:
        at = {"file": note.at.file, "line": note.at.line, "column": note.at.column} if note.at else {}
        found.append({"kind": note.kind, "key": note.key, "why": note.text, "text": str(note)} | at)
    for lost in done.losses:
        at = {"file": lost.at.file, "line": lost.at.line, "column": lost.at.column} if lost.at else {}
        loss = lost.loss
        found.append(
            {"kind": "lost", "key": loss.key, "why": loss.why, "instead": loss.instead, "text": str(lost)} | at
        )
    return found


def _write(output: Path, data: bytes, source: Path) -> None:
    """The whole file or none: it holds password hashes, so it is the owner's alone. Raises InputError."""
    from coreops.errors import InputError

    if output.is_dir() or (output.exists() and not output.is_file()):
        raise InputError("not a regular file", where=output, next="name a file with -o FILE")
    if output.exists() and source.exists() and output.samefile(source):
        raise InputError("this is the file that is read", where=output, next="name another file with -o FILE")
    try:
        with tempfile.NamedTemporaryFile(dir=output.absolute().parent, prefix=".coreops-", delete=False) as stream:
            try:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
                os.replace(stream.name, output)
            except BaseException:
                os.unlink(stream.name)
                raise
    except OSError as error:
        raise InputError("cannot write the file", where=output, why=error.strerror) from None
