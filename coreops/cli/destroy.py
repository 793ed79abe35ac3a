"""``coreops destroy INVENTORY``: remove machines that coreops made. Flags and wiring only."""

from __future__ import annotations

from typing import Annotated

import typer

from coreops.cli import _options as options
from coreops.cli import _provision_options as own


def destroy(
    inventory: own.Source,
    limit: options.Limit = None,
    removed: Annotated[bool, typer.Option("--removed", help="Only machines that the inventory no longer has.")] = False,
    yes: own.Yes = None,
    lose_quorum: own.LoseQuorum = False,
    wait: Annotated[float, typer.Option("--wait", min=0, help="Seconds until all must be gone.")] = 300.0,
    forks: own.Forks = 10,
    as_json: options.Json = False,
) -> int:
    """Remove machines that carry coreops's mark for this cluster, with all that is on them. Lists them, and asks.

    Without --limit also those that the inventory no longer has. Machines without the mark are not seen at all. When
    some members of the store go, the others must have a quorum without them; all of them may go.

        coreops destroy inventories/lab --limit n3

        coreops destroy inventories/lab --yes 3
    """
    from coreops.cli import _provision as shared
    from coreops.cli import _quorum
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
        gone = {each.machine.node: each.machine.addresses.get("private_ipv4", "") for each in doomed}
        told = _quorum.check(loaded, inventory, gone, allowed=lose_quorum, all_may_go=True)
        if told:
            typer.echo(told, err=True)
        shared.confirm([shared.row(each.machine) for each in doomed], yes, "destroys")
        outcomes = run(doomed, kept, shared.progress, forks=forks, wait=wait)
    return print_outcomes(outcomes, as_json_=as_json)
