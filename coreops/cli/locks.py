"""``coreops locks list|explain|release|audit``: who holds which node. Flags and printing only; results on stdout."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from coreops.cli import _options as options

if TYPE_CHECKING:
    from coreops.cli._ledger import Opened
    from coreops.errors import CoreopsError
    from coreops.upgrade.ledger.explain import Look
    from coreops.upgrade.ledger.protocol import Lease

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Show who holds the leases of nodes, and take one away by force."
)


@app.command("list", epilog="\b\nExamples:\n  coreops locks list -i inventories/lab\n  coreops locks list --json")
def list_(
    inventory: options.Inventory = None,
    user: options.User = None,
    key: options.Key = None,
    transport: options.Transport = "paramiko",
    accept_new: options.AcceptNew = False,
    ask_become_pass: options.AskBecomePass = False,
    as_json: options.Json = False,
) -> int:
    """List all leases, one a line. ``@rollout`` is the lease of a rollout as a whole."""
    from coreops.cli._fleet import columns
    from coreops.cli._ledger import opened, warn_unread
    from coreops.report.text import one_line
    from coreops.upgrade.ledger.protocol import ago

    with opened("locks", inventory, user, key, transport, accept_new, ask_become_pass) as here:
        leases = here.ledger.held()
        code = warn_unread(here.ledger)
    if as_json:
        for lease in leases:
            typer.echo(json.dumps(_object(lease)))
        return code
    rows = [("NODE", "OWNER", "RUN", "TOKEN", "SINCE", "HOLDER", "DOING")]
    for lease in leases:
        life = "alive" if lease.alive else f"silent for {ago(lease.silent)}"
        row = (lease.node, lease.owner, lease.run, str(lease.token), lease.since, life, lease.phase or lease.reason)
        rows.append(tuple(one_line(cell, 40) or "-" for cell in row))  # type: ignore[arg-type]
    for line in columns(rows) if leases else ():
        typer.echo(line)
    if not leases:
        typer.echo("nobody holds a lease")
    return code


@app.command(epilog="\b\nExamples:\n  coreops locks explain -i inventories/lab\n  coreops locks explain n2")
def explain(
    node: Annotated[str | None, typer.Argument(metavar="[NODE]", help="Only this node (or @rollout).")] = None,
    inventory: options.Inventory = None,
    user: options.User = None,
    key: options.Key = None,
    transport: options.Transport = "paramiko",
    accept_new: options.AcceptNew = False,
    ask_become_pass: options.AskBecomePass = False,
) -> int:
    """Say of every holder in one paragraph who it is, whether it lives, what its node is now, and what to do next."""
    from coreops.cli._ledger import opened, warn_unread
    from coreops.report.text import clean
    from coreops.upgrade.ledger.explain import explain as paragraph

    with opened("locks", inventory, user, key, transport, accept_new, ask_become_pass) as here:
        leases = [lease for lease in here.ledger.held() if node in (None, lease.node)]
        code = warn_unread(here.ledger)
        if node is not None and not leases:
            _check_node(here, node)
            typer.echo(clean(f"nobody holds {node}"))
            return code
        for lease in leases:
            typer.echo(clean(paragraph(lease, _look(here, lease), here.name)))
    if not leases:
        typer.echo("nobody holds a lease")
    return code


@app.command(epilog='\b\nExample:\n  coreops locks release n2 -i inventories/lab --force --reason "ci-4 burnt down"')
def release(
    node: Annotated[str, typer.Argument(help="Whose lease: a node, or @rollout.")],
    inventory: options.Inventory = None,
    force: Annotated[bool, typer.Option("--force", help="Yes, take it from its holder.")] = False,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the ledger for ever.")] = "",
    user: options.User = None,
    key: options.Key = None,
    transport: options.Transport = "paramiko",
    accept_new: options.AcceptNew = False,
    ask_become_pass: options.AskBecomePass = False,
) -> int:
    """Take a lease from its holder. For holders that are lost for good; a run that can be resumed is better resumed."""
    from coreops.cli._ledger import opened
    from coreops.errors import RefusedError
    from coreops.report.text import clean
    from coreops.upgrade.ledger.explain import explain as paragraph

    if not force or not reason.strip():
        missing = " and ".join([*([] if force else ["--force"]), *([] if reason.strip() else ["--reason TEXT"])])
        raise RefusedError(
            f"a lease is not taken from its holder without {missing}",
            where=node,
            why="the holder may be in the middle of something, and others must know later why it was cut off",
            next="coreops locks explain says who it is; coreops resume takes a dead run's leases over by itself",
        )
    with opened("locks", inventory, user, key, transport, accept_new, ask_become_pass) as here:
        for lease in here.ledger.held():
            if lease.node == node:
                typer.echo(clean(paragraph(lease, _look(here, lease), here.name)), err=True)
        record = here.ledger.force_release(node, reason.strip())
    owner, token = record.had.get("owner", "somebody"), record.had.get("token", "?")
    typer.echo(
        clean(
            f"{node}: released; {owner} held it with token {token}. The next lease has a higher token: once "
            f"that was used, the node refuses what {owner} may still send. "
            f"Recorded: {record.by}, {record.at}: {record.reason}"
        )
    )
    return 0


@app.command()
def audit(
    inventory: options.Inventory = None,
    user: options.User = None,
    key: options.Key = None,
    transport: options.Transport = "paramiko",
    accept_new: options.AcceptNew = False,
    ask_become_pass: options.AskBecomePass = False,
    as_json: options.Json = False,
) -> int:
    """List what was released by force, denied and allowed again: when, by whom, why. Oldest first."""
    from dataclasses import asdict

    from coreops.cli._ledger import opened, warn_unread
    from coreops.report.text import one_line

    with opened("locks", inventory, user, key, transport, accept_new, ask_become_pass) as here:
        records = here.ledger.audit()
        code = warn_unread(here.ledger)
    for record in records:
        line = f"{record.at}  {record.what}  {record.subject}  by {record.by}: {record.reason or '-'}"
        typer.echo(json.dumps(asdict(record)) if as_json else one_line(line))
    if not records and not as_json:
        typer.echo("nothing was forced, denied or allowed again")
    return code


def _look(here: Opened, lease: Lease) -> Look | CoreopsError | None:
    from coreops.errors import CoreopsError
    from coreops.upgrade.ledger.explain import STEP, look_step, read_look

    if lease.node not in here.inventory.hosts:
        return None
    found = here.asking.each({lease.node: [look_step()]})[lease.node]
    return found if isinstance(found, CoreopsError) else read_look(found[STEP])


def _check_node(here: Opened, node: str) -> None:
    from coreops.errors import InputError, did_you_mean
    from coreops.upgrade.protocol import ROLLOUT

    known = [*here.inventory.hosts, ROLLOUT]
    if node not in known:
        raise InputError(f"no host is named {node!r}", where=here.name, next=did_you_mean(node, known))


def _object(lease: Lease) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(lease) | {"silent": round(lease.silent)}
