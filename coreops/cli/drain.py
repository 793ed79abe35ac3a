"""``coreops drain NODE...``: move the work of nodes away, and keep new work from coming. Flags and wiring only."""

from __future__ import annotations

from typing import Annotated

import typer

from coreops.cli import _options as options


def drain(
    nodes: Annotated[list[str], typer.Argument(metavar="NODE", help="Which nodes: names or patterns.")],
    inventory: options.Inventory = None,
    patience: Annotated[str, typer.Option("--patience", metavar="TIME", help="How long work may take to stop.")] = "5m",
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept on the node.")] = "",
    force: Annotated[
        bool,
        typer.Option("--force", "--yes", help="Even when no node is left that takes work, or nobody knows leases."),
    ] = False,
    user: options.User = None,
    key: options.Key = None,
    transport: options.Transport = "paramiko",
    accept_new: options.AcceptNew = False,
    ask_become_pass: options.AskBecomePass = False,
    as_json: options.Json = False,
) -> int:
    """Keep new work from nodes, move away what runs there, and wait until it has stopped.

    All of them are closed before the work of the first one is moved, so none of it comes to the next one. What runs
    gets its own stop timeout; nothing is killed beyond that. Run it again when it was interrupted; take it back with
    coreops uncordon. An upgrade leaves such nodes cordoned.

        coreops drain n2 -i inventories/lab --reason "new disk"
    """
    from coreops.cli import _fleet
    from coreops.cli._scheduler import check_leases, chosen, opened, show
    from coreops.errors import InputError
    from coreops.upgrade.ledger.holder import Holder
    from coreops.upgrade.planning.readers import patience as read_patience

    try:
        seconds = read_patience(patience)
    except ValueError as error:
        raise InputError("--patience is not usable", why=str(error)) from error
    if not reason.isprintable():
        raise InputError("--reason must be one line of text")
    connection = _fleet.connection(user, key, transport, accept_new, ask_become_pass)
    with opened("drain", inventory, connection) as (operator, wanted):
        hosts = chosen(operator, wanted, nodes)
        check_leases(wanted.inventory, connection, hosts, force=force)
        text = reason.strip() or f"{Holder.here('').owner}: coreops drain"
        outcomes = operator.drain(hosts, seconds, reason=text, given=bool(reason.strip()), force=force)
    return show(outcomes, as_json=as_json)
