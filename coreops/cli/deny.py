"""``coreops deny list|add|clear``: versions that must not be installed. Flags and printing only; results on stdout."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from coreops.cli import _options as options

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Show, add and clear versions that must not be installed."
)

Version = Annotated[str, typer.Argument(metavar="VERSION", help="A version of the operating system.")]


@app.command("list", epilog="\b\nExamples:\n  coreops deny list -i inventories/lab\n  coreops deny list --json")
def list_(
    inventory: options.Inventory = None,
    user: options.User = None,
    key: options.Key = None,
    transport: options.Transport = "paramiko",
    accept_new: options.AcceptNew = False,
    ask_become_pass: options.AskBecomePass = False,
    as_json: options.Json = False,
) -> int:
    """List denied versions, one a line. A version that was rolled back is denied until somebody clears it."""
    from dataclasses import asdict

    from coreops.cli._ledger import opened, warn_unread
    from coreops.report.text import one_line

    with opened("deny", inventory, user, key, transport, accept_new, ask_become_pass) as here:
        denied = here.ledger.denied()
        code = warn_unread(here.ledger)
    for denial in denied:
        on = f" on {denial.node}" if denial.node else ""
        line = f"{denial.version}  denied {denial.at} by {denial.by}{on}: {denial.reason or '-'}"
        typer.echo(json.dumps(asdict(denial)) if as_json else one_line(line))
    if not denied and not as_json:
        typer.echo("no version is denied")
    return code


@app.command(epilog='\b\nExample:\n  coreops deny add 1.1.0 -i inventories/lab --reason "loses the disk under load"')
def add(
    version: Version,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; shown to everybody.")],
    inventory: options.Inventory = None,
    user: options.User = None,
    key: options.Key = None,
    transport: options.Transport = "paramiko",
    accept_new: options.AcceptNew = False,
    ask_become_pass: options.AskBecomePass = False,
) -> int:
    """Deny a version: no node is upgraded to it any more. One that runs it already is left as it is."""
    from coreops.cli._ledger import opened
    from coreops.errors import InputError
    from coreops.report.text import one_line
    from coreops.upgrade.version import parse

    if not reason.strip():
        raise InputError("a reason is needed", next=f"coreops deny add {version} --reason TEXT")
    parse(version)
    with opened("deny", inventory, user, key, transport, accept_new, ask_become_pass) as here:
        here.ledger.deny(version, "", reason.strip())
    typer.echo(f"{one_line(version)} is denied")
    return 0


@app.command(epilog="\b\nExample:\n  coreops deny clear 1.1.0 -i inventories/lab")
def clear(
    version: Version,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it may be installed again.")] = "",
    inventory: options.Inventory = None,
    user: options.User = None,
    key: options.Key = None,
    transport: options.Transport = "paramiko",
    accept_new: options.AcceptNew = False,
    ask_become_pass: options.AskBecomePass = False,
) -> int:
    """Allow a denied version again. It is recorded who did, see coreops locks audit."""
    from coreops.cli._ledger import opened
    from coreops.report.text import one_line

    with opened("deny", inventory, user, key, transport, accept_new, ask_become_pass) as here:
        record = here.ledger.clear_denial(version, reason.strip())
    typer.echo(f"{one_line(version)} may be installed again (was denied: {one_line(record.had.get('reason', ''))})")
    return 0
