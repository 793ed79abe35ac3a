"""``coreops rollback [NODE...|--all]``: back to the release in the other slot. Flags and wiring only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from coreops.cli import _options as options
from coreops.cli import upgrade as up

app = typer.Typer(add_completion=False)


@app.command(
    "rollback",
    epilog="\b\nExamples:\n  coreops rollback n1 -i inventories/lab\n  coreops rollback --all --dry-run",
)
def rollback(
    node: Annotated[list[str] | None, typer.Argument(metavar="[NODE...]", help="Which nodes.")] = None,
    inventory: Annotated[
        Path | None, typer.Option("--inventory", "-i", envvar="COREOPS_INVENTORY", help="Inventory file or folder.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All nodes.")] = False,
    max_unavailable: up.MaxUnavailable = None,
    max_failures: up.MaxFailures = None,
    window: up.Windows = None,
    wait: up.Wait = None,
    soak: up.Soak = None,
    allow_downtime: up.AllowDowntime = None,
    playbook: up.Playbook = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan; touch nothing.")] = False,
    yes: up.Yes = False,
    report: up.Html = None,
    user: options.User = None,
    key: options.Key = None,
    transport: options.Transport = "paramiko",
    accept_new: options.AcceptNew = False,
    ask_become_pass: options.AskBecomePass = False,
    as_json: options.Json = False,
) -> int:
    """Take nodes back to the release that their other slot holds, with the same care as an upgrade.

    The release that is left is denied: nothing installs it again until coreops deny clear.
    """
    from coreops.cli._fleet import connection, source
    from coreops.cli._rollout import Manner, launch
    from coreops.errors import InputError
    from coreops.upgrade.planning.request import Request

    if bool(node) == everything:
        raise InputError("which nodes?", next="name nodes, or pass --all")
    ways: dict[str, Any] = connection(user, key, transport, accept_new, ask_become_pass)
    password = ways.pop("become_password")
    flags = {
        "max_unavailable": max_unavailable,
        "max_failures": max_failures,
        "windows": window or None,
        "wait_for_window": wait,
        "soak": soak,
        "allow_downtime": allow_downtime,
    }
    request = Request(
        kind="rollback",
        inventory=str(source(inventory)),
        limit=",".join(node) if node else None,
        flags={name: value for name, value in flags.items() if value is not None},
        playbook=str(playbook.resolve()) if playbook else "",
        connection=ways,
    )
    return launch(request, Manner(dry_run=dry_run, yes=yes, as_json=as_json, html=report, password=password))
