"""``coreops nodes``: the scheduler's nodes beside the inventory's hosts. Flags and printing only; results on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from coreops.cli import _options as options

if TYPE_CHECKING:
    from coreops.schedulers.listing import Row


def nodes(
    inventory: options.Inventory = None,
    user: options.User = None,
    key: options.Key = None,
    transport: options.Transport = "paramiko",
    accept_new: options.AcceptNew = False,
    ask_become_pass: options.AskBecomePass = False,
    as_json: options.Json = False,
) -> int:
    """Show every host of the inventory as its scheduler knows it, and every node that the inventory does not have.

    coreops nodes -i inventories/lab

    coreops nodes -i inventories/lab --json
    """
    from coreops.cli import _fleet
    from coreops.cli._scheduler import opened
    from coreops.schedulers.listing import rows

    connection = _fleet.connection(user, key, transport, accept_new, ask_become_pass)
    with opened("nodes", inventory, connection) as (operator, wanted):
        found = rows(tuple(wanted.inventory.hosts), wanted.cluster, operator.nodes())
    if as_json:
        for row in found:
            typer.echo(_fleet.as_json("node", _object(row)))
        return 0
    for line in _fleet.columns([_HEAD, *map(_cells, found)]):
        typer.echo(line)
    return 0


_HEAD = ("node", "role", "state", "work", "cordoned by", "tasks", "version", "zone", "labels")


def _cells(row: Row) -> tuple[str, ...]:
    role = f"{row.role} (leader)" if row.leader else row.role
    return (
        f"{row.host} (not in the inventory)" if row.stray else row.host,
        role or "-",
        row.state,
        _work(row),
        row.cordoned or "-",
        "-" if row.running is None else str(row.running),
        row.version or "-",
        row.zone or "-",
        ",".join(f"{key}={value}" for key, value in sorted(row.labels.items())) or "-",
    )


def _work(row: Row) -> str:
    if row.drained:
        return "drained"
    return "none new" if row.cordoned else "open" if row.state == "ready" else "-"


def _object(row: Row) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(row)
