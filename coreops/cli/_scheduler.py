"""What the commands about a scheduler's nodes share: from an inventory to somebody who can be asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coreops.errors import CoreopsError, ExitCode
    from coreops.events import Event
    from coreops.inventory import Inventory
    from coreops.schedulers.operator import Operator, Outcome
    from coreops.schedulers.settings import Wanted
    from coreops.upgrade.ledger.protocol import Lease


@contextmanager
def opened(command: str, inventory: Path | None, connection: dict[str, Any]) -> Iterator[tuple[Operator, Wanted]]:
    """Somebody to ask, and the cluster. Raises InputError before any host is asked. Ctrl-C ends talks, cleanly."""
    import secrets

    from coreops.cli._fleet import source
    from coreops.engine.interrupt import Interrupts
    from coreops.inventory import load_inventory
    from coreops.schedulers import settings
    from coreops.schedulers.hands import Hands
    from coreops.schedulers.operator import Operator
    from coreops.upgrade.drain.survey import CORDON

    path = source(inventory)
    wanted = settings.need(load_inventory(path), connection, path)
    hands = Hands.over(wanted.targets, notices, run=f"{command}-{secrets.token_hex(4)}")
    try:
        with Interrupts(hands.engine, notices):
            yield Operator(wanted, hands, CORDON, say), wanted
    finally:
        hands.close()


def say(text: str) -> None:
    """What is under way, on stderr."""
    import typer

    from coreops.report.text import clean

    typer.echo(clean(f"coreops: {text}"), err=True)


def notices(event: Event) -> None:
    """Of all events, what somebody should read."""
    from coreops.events import Notice

    if isinstance(event, Notice):
        say(f"{event.host}: {event.text}" if event.host else event.text)


def chosen(operator: Operator, wanted: Wanted, nodes: Sequence[str]) -> tuple[str, ...]:
    """The hosts that were named, by name or pattern, and strays by name. Raises InputError for what is neither."""
    from coreops.errors import InputError

    inventory = wanted.inventory
    found: dict[str, None] = {}
    for node in nodes:
        try:
            found |= dict.fromkeys(inventory.match(node))
        except InputError:
            if node not in operator.strays():
                raise
            found[node] = None
    for host in found:
        if host not in wanted.cluster.names and host not in operator.strays():
            raise InputError(
                f"host {host} takes no part in {wanted.name}",
                where=inventory.hosts[host].position if host in inventory.hosts else inventory.base,
                next=f"its hosts are {', '.join(wanted.cluster.names)}",
            )
    if not found:
        raise InputError(f"no host matches {', '.join(nodes)}", where=inventory.base)
    return tuple(found)


def check_leases(inventory: Inventory, connection: dict[str, Any], hosts: Sequence[str], *, force: bool) -> None:
    """Raises RefusedError when an upgrade has one of the hosts in its hands, UnreachableError when nobody can say.

    force: that nobody can say is only told.
    """
    from coreops.errors import RefusedError, UnreachableError
    from coreops.upgrade.ledger.protocol import describe

    try:
        held = _held(inventory, connection)
    except UnreachableError as error:
        if not force:
            raise
        say(f"whether an upgrade holds these nodes is not known: {error.what}")
        return
    for lease in held:
        if lease.node in hosts:
            raise RefusedError(
                f"{lease.node} is in the hands of an upgrade",
                where=lease.node,
                why=describe(lease),
                next="wait for it (coreops why), end it (coreops abort), or see coreops locks explain",
            )


def _held(inventory: Inventory, connection: dict[str, Any]) -> tuple[Lease, ...]:
    import secrets

    from coreops.cli._run import renderer
    from coreops.inventory import target
    from coreops.upgrade.cluster.asking import Asking
    from coreops.upgrade.ledger.connect import ledger_hosts, open_ledger
    from coreops.upgrade.ledger.holder import Holder

    known = {**connection, "identity_files": [Path(each) for each in connection.get("identity_files", ())]}
    targets = {
        host: target(inventory, host, become=True, render=renderer(inventory, host), **known)
        for host in ledger_hosts(inventory)
    }
    run = f"leases-{secrets.token_hex(4)}"
    asking = Asking(targets, run=run)
    try:
        return open_ledger(inventory, Holder.here(run), asking.one, asking.each).held()
    finally:
        asking.close()


def show(outcomes: Sequence[Outcome], *, as_json: bool) -> ExitCode:
    """How every host ended, on stdout, why on stderr; the exit code for all."""
    import typer

    from coreops.cli import _fleet
    from coreops.errors import ExitCode
    from coreops.report.text import clean

    for each in outcomes:
        if as_json:
            typer.echo(_fleet.as_json("node", {"host": each.host, "state": each.state, "error": _told(each.error)}))
        else:
            typer.echo(f"{each.host}: {_STATES[each.state]}")
    errors = [each.error for each in outcomes if each.error is not None]
    for text in dict.fromkeys(str(error) for error in errors):
        typer.echo(clean(f"coreops: {text}"), err=True)
    codes = {error.exit_code for error in errors}
    order = (ExitCode.INTERRUPTED, ExitCode.FAILED, ExitCode.REFUSED, ExitCode.UNREACHABLE)
    return next((code for code in order if code in codes), ExitCode.DONE)


_STATES = {
    "drained": "drained",
    "cordoned": "cordoned: it takes no new work, but it is not drained",
    "open": "takes work",
    "unchanged": "not changed",
}


def _told(error: CoreopsError | None) -> dict[str, str] | None:
    if error is None:
        return None
    parts = {"what": error.what, "where": error.where, "why": error.why, "next": error.next}
    return {name: value for name, value in parts.items() if value is not None}
