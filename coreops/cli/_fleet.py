"""What the commands about upgrades share: how hosts are reached, and a look at all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coreops.upgrade.cluster.asking import Asking
    from coreops.upgrade.cluster.looks import Look
    from coreops.upgrade.cluster.nodes import Nodes
    from coreops.upgrade.ledger.book import Book
    from coreops.upgrade.planning.fleet import Fleet


def connection(user: str | None, key: Path | None, transport: str, accept_new: bool, ask: bool) -> dict[str, Any]:
    """Defaults for ``inventory.target``, as the options have them."""
    from coreops.cli._run import _ask_password, _transport

    return {
        "user": user,
        "identity_files": [str(key.resolve())] if key else [],
        "transport": _transport(transport),
        "accept_new": accept_new,
        "become_password": _ask_password() if ask else None,
    }


def source(inventory: Path | None) -> Path:
    """The inventory that was named, with its machines looked up. Raises InputError when none was."""
    from coreops.cli._lookups import fresh
    from coreops.errors import InputError

    if inventory is None:
        raise InputError("no inventory is named", next="pass -i INVENTORY, or set COREOPS_INVENTORY")
    return fresh(inventory)


@contextmanager
def opened(fleet: Fleet, run: str) -> Iterator[tuple[Nodes, Asking]]:
    """Connections to the fleet, made when they are needed."""
    from coreops.upgrade.cluster.asking import Asking
    from coreops.upgrade.cluster.nodes import Nodes
    from coreops.upgrade.ledger.connect import ledger_hosts

    nodes = Nodes(fleet.targets, lambda event: None, run=run)
    asking = Asking({host: fleet.targets[host] for host in ledger_hosts(fleet.inventory)}, run=run)
    try:
        yield nodes, asking
    finally:
        nodes.close()
        asking.close()


def look(fleet: Fleet, nodes: Nodes) -> dict[str, Look]:
    """Look at the chosen hosts."""
    from coreops.upgrade.cluster.looks import look_at_all
    from coreops.upgrade.slots.usr import driver

    return look_at_all(nodes, driver(), fleet.chosen, tuple(fleet.members.values()))


@contextmanager
def ledger(fleet: Fleet, asking: Asking) -> Iterator[Book]:
    """The cluster's ledger, to be read."""
    from coreops.upgrade.ledger.connect import open_ledger
    from coreops.upgrade.ledger.holder import Holder

    yield open_ledger(fleet.inventory, Holder.here("reader"), asking.one, asking.each)


def denied(fleet: Fleet, asking: Asking) -> set[str]:
    """The denied versions; when the ledger cannot be read, that is said."""
    import typer

    from coreops.errors import CoreopsError
    from coreops.report.text import clean

    try:
        with ledger(fleet, asking) as book:
            return {denial.version for denial in book.denied()}
    except CoreopsError as error:
        typer.echo(clean(f"coreops: which versions are denied is not known: {error}"), err=True)
        return set()


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows as lines with aligned columns; the last column is as long as it is."""
    from coreops.report.text import one_line

    shown = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in shown) for i in range(len(shown[0]))] if shown else []
    for row in shown:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def as_json(name: str, value: Mapping[str, Any]) -> str:
    """One JSON object on a line, as ``--json`` prints it."""
    import json

    from coreops.report.jsonl import plain

    return json.dumps({"event": name, **plain(value)})
