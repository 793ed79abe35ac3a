"""What ``nodes`` and ``heal`` share about the registry: from an inventory to the records in its store. Wiring and
printing only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coreops.inventory import Inventory
    from coreops.registration.overview import Row
    from coreops.registration.readers import Registry

HEAD = ("node", "registered", "address", "os", "slot", "boot", "since")


@contextmanager
def opened(inventory: Inventory, connection: Mapping[str, Any], command: str) -> Iterator[Registry]:
    """The registry, asked through whichever store host answers."""
    import secrets

    from coreops.cli._run import renderer
    from coreops.inventory import target
    from coreops.registration.readers import Registry
    from coreops.upgrade.cluster.asking import Asking
    from coreops.upgrade.ledger.connect import endpoints, store_hosts

    known = {**connection, "identity_files": [Path(each) for each in connection.get("identity_files", ())]}
    hosts = store_hosts(inventory)
    targets = {host: target(inventory, host, become=True, render=renderer(inventory, host), **known) for host in hosts}
    asking = Asking(targets, run=f"{command}-{secrets.token_hex(4)}")
    try:
        yield Registry(asking.one, endpoints(inventory, hosts))
    finally:
        asking.close()


def rows(inventory: Inventory, connection: Mapping[str, Any], command: str) -> tuple[Row, ...]:
    """All hosts, and who is registered without being one; () without a store. Raises UnreachableError."""
    from coreops.registration import overview

    due = wanted(inventory, connection)
    if not due:
        return ()
    with opened(inventory, connection, command) as registry:
        return overview.rows(due, registry.read().nodes)


def wanted(inventory: Inventory, connection: Mapping[str, Any]) -> dict[str, bool]:
    """Every host, and whether it is to be registered; {} without a store."""
    from coreops.registration import settings

    found = settings.read(inventory, connection)
    return {node.host: node.wanted for node in found.nodes} if found else {}


def cells(row: Row | None, host: str) -> tuple[str, ...]:
    """One line of the table, below ``HEAD``."""
    if row is None or row.node is None:
        return (host, row.state if row else "-", "-", "-", "-", "-", "-")
    node = row.node
    return (host, "yes", node.address, node.version or "-", node.slot or "-", node.boot_id[:8], node.since)


def watch(inventory: Inventory, connection: Mapping[str, Any], *, as_json: bool) -> int:
    """What is there, then one line a change until Ctrl-C. Raises InputError without a store."""
    import typer

    from coreops.cli import _fleet
    from coreops.errors import ExitCode, InputError
    from coreops.registration import overview
    from coreops.registration.readers import Standing
    from coreops.registration.watch import follow
    from coreops.report.text import clean, one_line

    due = wanted(inventory, connection)
    if not due:
        raise InputError(
            "there is no registry to watch",
            where=inventory.base,
            why="the inventory has no group store",
            next="nodes register in the cluster's etcd: coreops bootstrap",
        )
    try:
        with opened(inventory, connection, "nodes") as registry:
            for found in follow(registry):
                if isinstance(found, str):
                    typer.echo(clean(f"coreops: {found}"), err=True)
                elif isinstance(found, Standing):
                    listed = overview.rows(due, found.nodes)
                    for row in listed if as_json else ():
                        typer.echo(_fleet.as_json("node", {"change": "listed", "host": row.host, "now": row.node}))
                    if not as_json:
                        typer.echo("\n".join(_fleet.columns([HEAD, *(cells(row, row.host) for row in listed)])))
                elif as_json:
                    typer.echo(_fleet.as_json("node", overview.plain(found)))
                else:
                    typer.echo(one_line(f"{_now()}  {overview.say(found)}"))
    except KeyboardInterrupt:
        return ExitCode.DONE
    return ExitCode.DONE


def _now() -> str:
    from datetime import datetime

    return f"{datetime.now():%H:%M:%S}"
