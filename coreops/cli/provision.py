"""``coreops provision INVENTORY``: make the machines that are missing. Flags and wiring only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coreops.cli import _options as options
from coreops.cli import _provision_options as own

if TYPE_CHECKING:
    from coreops.inventory import Inventory
    from coreops.provision.book import Book
    from coreops.provision.outcome import Outcome
    from coreops.provision.share import Survey

Wait = Annotated[
    float, typer.Option("--wait", min=0, help="Seconds until all must run and be known by their host keys.")
]
Replace = Annotated[
    str | None,
    typer.Option("--replace", metavar="NODE", help="Destroy this machine, which differs, and make it anew."),
]


def provision(
    inventory: own.Source,
    check: options.Check = False,
    limit: options.Limit = None,
    target: own.Target = None,
    platform: own.Platform = None,
    allow_loss: own.AllowLoss = False,
    allow_secrets: own.AllowSecrets = False,
    replace: Replace = None,
    yes: own.Yes = None,
    lose_quorum: own.LoseQuorum = False,
    wait: Wait = 300.0,
    forks: own.Forks = 10,
    as_json: options.Json = False,
) -> int:
    """Make the machines of an inventory that are missing, and wait until they can be trusted.

    Run it again to finish what failed: a machine that is there is never made twice. Machines that differ from the
    inventory, or are no longer in it, are left alone (`coreops plan` shows them) but for the one that --replace names.
    Addresses go to .coreops/machines.json beside the inventory, host keys to known_hosts, so that the next command can
    connect:

        coreops provision inventories/prod --check

        coreops provision inventories/prod && coreops bootstrap inventories/prod
    """
    from coreops.cli import _provision as shared
    from coreops.cli._outcomes import print_changes, print_outcomes
    from coreops.errors import InputError, did_you_mean
    from coreops.provision import book
    from coreops.provision.create import Creation
    from coreops.provision.summary import summary

    if replace is not None and limit is not None:
        raise InputError("--replace and --limit exclude each other", why="--replace names the one host that is touched")
    loaded = shared.load(inventory)
    if replace is not None and replace not in loaded.hosts:
        raise InputError(f"no host is named {replace!r}", where=loaded.base, next=did_you_mean(replace, loaded.hosts))
    names = shared.choose(loaded, limit) if replace is None else (replace,)
    rendering = shared.Rendering(target, platform, allow_loss, allow_secrets)
    shares = shared.shares(loaded, shared.nodes(loaded), names, rendering, shared.progress)
    shared.warn(loaded, shares)
    only = names if limit is not None or replace is not None else None
    if check:
        surveys = shared.survey(loaded, shares, only)
        print_changes(surveys, calls=True, as_json_=as_json)
        typer.echo(summary(surveys), err=True)
        return 0
    with book.opened(loaded.base) as kept:
        surveys = shared.survey(loaded, shares, only)
        typer.echo(summary(surveys), err=True)
        if replace is not None:
            gone = _destroyed(loaded, inventory, surveys, replace, kept, yes, lose_quorum)
            if gone.error is not None:
                return print_outcomes([gone], as_json_=as_json)
            surveys = shared.survey(loaded, shares, only)
        creation = Creation(kept, shared.progress, shared.reached(loaded), forks, wait)
        outcomes = creation.run(surveys)
    return print_outcomes(outcomes, as_json_=as_json)


def _destroyed(
    loaded: Inventory,
    source: Path,
    surveys: tuple[Survey, ...],
    node: str,
    kept: Book,
    yes: int | None,
    lose_quorum: bool,
) -> Outcome:
    """Make room for a new machine in the place of one that differs."""
    from coreops.cli import _provision as shared
    from coreops.cli import _quorum
    from coreops.errors import InputError
    from coreops.provision.destroy import Doomed, destroy

    (survey, change) = next((each, one) for each in surveys for one in each.changes if one.node == node)
    machine = survey.machine(node)
    if change.action != "replace" or machine is None:
        raise InputError(
            "its machine does not differ from the inventory",
            where=node,
            why=f"{change.action}: {change.why}" if change.why else change.action,
            next="coreops destroy --limit ends a machine for other reasons; coreops provision makes a missing one",
        )
    typer.echo(f"{node}: {change.why}", err=True)
    gone = {node: machine.addresses.get("private_ipv4", "")}
    if told := _quorum.check(loaded, source, gone, allowed=lose_quorum, all_may_go=False):
        typer.echo(told, err=True)
        typer.echo(f"afterwards: coreops bootstrap {source} takes the new machine into the store", err=True)
    shared.confirm([shared.row(machine)], yes, "destroys and makes anew")
    (outcome,) = destroy([Doomed(survey.share, machine)], kept, shared.progress)
    return outcome
