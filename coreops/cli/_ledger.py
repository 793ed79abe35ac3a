"""What ``locks`` and ``deny`` share: from an inventory to an open ledger. Wiring only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coreops.inventory import Inventory
    from coreops.upgrade.cluster.asking import Asking
    from coreops.upgrade.ledger.book import Book


@dataclass(frozen=True, slots=True)
class Opened:
    """asking: reaches every host of the inventory. name: the inventory as the operator would name it."""

    ledger: Book
    asking: Asking
    inventory: Inventory
    name: str


@contextmanager
def opened(
    command: str,
    inventory: Path | None,
    user: str | None,
    key: Path | None,
    transport: str,
    accept_new: bool,
    ask_become_pass: bool,
) -> Iterator[Opened]:
    """Open the ledger of an inventory's cluster. Raises InputError before any host is asked."""
    import secrets

    from coreops.cli._run import _ask_password, _transport, renderer
    from coreops.cli.inventory import load
    from coreops.inventory import target
    from coreops.upgrade.cluster.asking import Asking
    from coreops.upgrade.ledger.connect import ledger_hosts, open_ledger
    from coreops.upgrade.ledger.holder import Holder
    from coreops.upgrade.planning.settings import patience

    loaded = load(inventory)
    first, wait = ledger_hosts(loaded), patience(loaded)
    password = _ask_password() if ask_become_pass else None
    targets = {
        host: target(
            loaded,
            host,
            user=user,
            identity_files=[key] if key else [],
            transport=_transport(transport),
            accept_new=accept_new,
            become=True,
            become_password=password,
            render=renderer(loaded, host),
        )
        for host in loaded.hosts
    }
    run = f"{command}-{secrets.token_hex(4)}"
    asking = Asking({host: targets[host] for host in first}, run=run)
    nodes = Asking(targets, run=f"{run}-nodes")
    try:
        ledger = open_ledger(loaded, Holder.here(run), asking.one, asking.each, wait)
        yield Opened(ledger, nodes, loaded, str(inventory or loaded.base))
    finally:
        asking.close()
        nodes.close()


def warn_unread(ledger: Book) -> int:
    """Say which hosts did not answer; the exit code that this means."""
    import typer

    from coreops.errors import ExitCode
    from coreops.report.text import clean

    for host, error in ledger.unread.items():
        typer.echo(clean(f"coreops: not asked: {host}: {error.what}"), err=True)
    return ExitCode.UNREACHABLE if ledger.unread else ExitCode.DONE
