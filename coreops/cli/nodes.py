"""``coreops nodes``: what the store and the scheduler know of the inventory's hosts. Flags and printing only; results
on stdout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from coreops.cli import _options as options

if TYPE_CHECKING:
    from coreops.inventory import Inventory
    from coreops.registration.overview import Row as Known
    from coreops.schedulers.listing import Row


def nodes(
    inventory: options.Inventory = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Then show what changes, until Ctrl-C.")] = False,
    user: options.User = None,
    key: options.Key = None,
    transport: options.Transport = "paramiko",
    accept_new: options.AcceptNew = False,
    ask_become_pass: options.AskBecomePass = False,
    as_json: options.Json = False,
) -> int:
    """Show every host of the inventory as the store and its scheduler know it, and every node that it does not have.

    coreops nodes -i inventories/lab

    coreops nodes -i inventories/lab --json

    coreops nodes -i inventories/lab --watch
    """
    from coreops.cli import _fleet, _registry
    from coreops.inventory import load_inventory

    connection = _fleet.connection(user, key, transport, accept_new, ask_become_pass)
    loaded = load_inventory(_fleet.source(inventory))
    if watch:
        return _registry.watch(loaded, connection, as_json=as_json)
    scheduled = _scheduled(inventory, loaded, connection)
    known, strangers = _registered(loaded, connection, scheduled)
    by_name = {row.host: row for row in scheduled if not row.stray}
    lines: list[tuple[str, Row | None, Known | None]] = [
        *((host, by_name.get(host), known.get(host)) for host in loaded.hosts),
        *((row.host, row, None) for row in scheduled if row.stray),
        *((row.host, None, row) for row in strangers),
    ]
    if as_json:
        for name, row, record in lines:
            typer.echo(_fleet.as_json("node", _object(name, row, record)))
        return 0
    table = [(_registry.HEAD if known else _HEAD[:1]) + (_HEAD[1:] if scheduled else ())]
    for number, (name, row, record) in enumerate(lines):
        shown = name if number < len(loaded.hosts) else f"{name} (not in the inventory)"
        first = _registry.cells(record, shown) if known else (shown,)
        table.append(first + (_cells(row) if scheduled else ()))
    for line in _fleet.columns(table):
        typer.echo(line)
    return 0


def _scheduled(source: options.Inventory, inventory: Inventory, connection: dict[str, Any]) -> tuple[Row, ...]:
    """What the scheduler knows; () where the inventory has none but a store. Raises InputError without both."""
    from coreops.cli._scheduler import opened
    from coreops.schedulers import settings
    from coreops.schedulers.listing import rows

    if settings.STORE in inventory.groups and settings.read(inventory, connection) is None:
        return ()
    with opened("nodes", source, connection) as (operator, wanted):
        return rows(tuple(wanted.inventory.hosts), wanted.cluster, operator.nodes())


def _registered(
    inventory: Inventory, connection: dict[str, Any], scheduled: tuple[Row, ...]
) -> tuple[dict[str, Known], list[Known]]:
    """What the store knows: the inventory's hosts, and others. A store that is silent is no reason to say nothing."""
    from coreops.cli import _registry
    from coreops.cli._scheduler import say
    from coreops.errors import UnreachableError

    try:
        found = _registry.rows(inventory, connection, "nodes")
    except UnreachableError as error:
        if not scheduled:
            raise
        say(f"who is registered is not known: {error.what}" + (f" ({error.why})" if error.why else ""))
        return {}, []
    return {row.host: row for row in found if row.state != "stranger"}, [r for r in found if r.state == "stranger"]


_HEAD = ("node", "role", "state", "work", "cordoned by", "tasks", "version", "zone", "labels")


def _cells(row: Row | None) -> tuple[str, ...]:
    if row is None:
        return ("-",) * (len(_HEAD) - 1)
    role = f"{row.role} (leader)" if row.leader else row.role
    return (
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
        return "draining" if row.running else "drained"
    return "none new" if row.cordoned else "open" if row.state == "ready" else "-"


def _object(name: str, row: Row | None, record: Known | None) -> dict[str, object]:
    from dataclasses import asdict

    found = asdict(row) if row else {"host": name}
    return found | ({"registered": record.state, "registry": record.node} if record else {})
