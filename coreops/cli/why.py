"""``coreops why NODE``: what is waited for there. Flags and wiring only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coreops.cli import _options as options

if TYPE_CHECKING:
    from coreops.upgrade.ledger.protocol import Denial, Lease
    from coreops.upgrade.running.runs import Run

app = typer.Typer(add_completion=False)


@app.command("why", epilog="\b\nExamples:\n  coreops why n2\n  coreops why n2 -i inventories/lab --json")
def why(
    node: Annotated[str, typer.Argument(metavar="NODE", help="A host of the inventory.")],
    inventory: Annotated[
        Path | None, typer.Option("--inventory", "-i", envvar="COREOPS_INVENTORY", help="Inventory file or folder.")
    ] = None,
    user: options.User = None,
    key: options.Key = None,
    transport: options.Transport = "paramiko",
    accept_new: options.AcceptNew = False,
    ask_become_pass: options.AskBecomePass = False,
    as_json: options.Json = False,
) -> int:
    """Say in one paragraph what a rollout waits for at NODE, or how NODE stands when none is under way.

    A rollout that runs from this folder is asked; otherwise the node and the ledger are. Changes nothing.
    """
    from coreops.cli import _fleet
    from coreops.errors import CoreopsError
    from coreops.report.text import clean
    from coreops.upgrade.explain import explain
    from coreops.upgrade.planning import fleet as fleets
    from coreops.upgrade.running.runs import all_runs, latest

    runs = all_runs()
    living = next((run for run in reversed(runs) if run.alive and node in _nodes(run)), None)
    if living is not None:
        told = f"run {living.id} is at it; {node}: {_nodes(living)[node]['why']}"
        typer.echo(_fleet.as_json("why", {"host": node, "run": living.id, "why": told}) if as_json else clean(told))
        return 0
    last = next(iter(latest([run for run in runs if node in _nodes(run)])), None)
    named = inventory or (Path(last.request["inventory"]) if last and last.request else None)
    ways = _fleet.connection(user, key, transport, accept_new, ask_become_pass)
    fleet = fleets.read(_fleet.source(named), node, ways)
    with _fleet.opened(fleet, "why") as (nodes, asking):
        look = _fleet.look(fleet, nodes)[fleet.chosen[0]]
        leases: tuple[Lease, ...] = ()
        denials: tuple[Denial, ...] = ()
        unread = ""
        try:
            with _fleet.ledger(fleet, asking) as book:
                leases, denials = book.held(), book.denied()
        except CoreopsError as error:  # when most goes wrong, the rest is still worth telling
            unread = f"{error.what} ({error.why})" if error.why else error.what
    seen = look.seen or look.error or CoreopsError("it was not asked")
    text = explain(fleet.chosen[0], seen, leases, denials, _nodes(last)[node]["why"] if last else "", unread)
    typer.echo(_fleet.as_json("why", {"host": node, "why": text}) if as_json else clean(text))
    return 0


def _nodes(run: Run) -> dict[str, Any]:
    """What a run said of its nodes last."""
    return dict(run.state().get("nodes", {}))
