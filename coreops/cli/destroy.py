"""``coreops destroy INVENTORY``: remove machines that coreops made. Flags and wiring only."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from coreops.cli import _options as options
from coreops.cli import _provision_options as own


def destroy(
    inventory: own.Source,
    limit: options.Limit = None,
    removed: Annotated[bool, typer.Option("--removed", help="Only machines that the inventory no longer has.")] = False,
    yes: Annotated[
        int | None, typer.Option("--yes", min=0, metavar="COUNT", help="Do not ask, if it is exactly this many.")
    ] = None,
    wait: Annotated[float, typer.Option("--wait", min=0, help="Seconds until all must be gone.")] = 300.0,
    forks: own.Forks = 10,
    as_json: options.Json = False,
) -> int:
    """Remove machines that carry coreops's mark for this cluster, with all that is on them. Lists them, and asks.

    Without --limit also those that the inventory no longer has. Machines without the mark are not seen at all.

        coreops destroy inventories/lab --limit n3

        coreops destroy inventories/lab --yes 3
    """
    from coreops.cli import _provision as shared
    from coreops.cli._fleet import columns
    from coreops.cli._outcomes import print_outcomes
    from coreops.errors import InputError
    from coreops.provision import book
    from coreops.provision.destroy import Doomed
    from coreops.provision.destroy import destroy as run
    from coreops.provision.survey import survey

    if removed and limit is not None:
        raise InputError("--removed and --limit exclude each other", why="--limit names hosts of the inventory")
    loaded = shared.load(inventory)
    names = shared.choose(loaded, limit)
    shares = shared.shares(loaded, shared.nodes(loaded), loaded.match("all"), None, shared.progress)
    shared.warn(loaded, shares)
    with book.opened(loaded.base) as kept:
        surveys = survey(shares, None if limit is None else names)
        doomed = [
            Doomed(each.share, machine)
            for each in surveys
            for machine in each.found
            if not removed or each.is_stray(machine.node)
        ]
        if not doomed:
            typer.echo("no machine carries the mark of this cluster" if not removed else "none", err=True)
            return 0
        for line in columns(
            [
                (each.machine.node, each.machine.id, each.machine.state, " ".join(each.machine.addresses.values()))
                for each in doomed
            ]
        ):
            typer.echo(line, err=True)
        _confirm(len(doomed), yes)
        outcomes = run(doomed, kept, shared.progress, forks=forks, wait=wait)
    return print_outcomes(outcomes, as_json_=as_json)


def _confirm(count: int, yes: int | None) -> None:
    """Raise RefusedError unless the operator knows how many machines go."""
    from coreops.errors import RefusedError, counted

    if yes is None and sys.stdin.isatty():
        said = typer.prompt(f"destroys {counted(count, 'machine')} and all that is on them; type the number", err=True)
        yes = int(said) if said.strip().isdecimal() else -1
    if yes != count:
        raise RefusedError(
            "nothing was destroyed",
            why=f"it would be {counted(count, 'machine')}" + ("" if yes is None else ", another number than was said"),
            next=f"look at the list, then pass --yes {count}",
        )
