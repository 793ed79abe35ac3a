"""``coreops provision INVENTORY``: make the machines that are missing. Flags and wiring only."""

from __future__ import annotations

from typing import Annotated

import typer

from coreops.cli import _options as options
from coreops.cli import _provision_options as own

Wait = Annotated[
    float, typer.Option("--wait", min=0, help="Seconds until all must run and be known by their host keys.")
]


def provision(
    inventory: own.Source,
    check: options.Check = False,
    limit: options.Limit = None,
    target: own.Target = None,
    platform: own.Platform = None,
    allow_loss: own.AllowLoss = False,
    allow_secrets: own.AllowSecrets = False,
    wait: Wait = 300.0,
    forks: own.Forks = 10,
    as_json: options.Json = False,
) -> int:
    """Make the machines of an inventory that are missing, and wait until they can be trusted.

    Run it again to finish what failed: a machine that is there is never made twice. Machines that differ from the
    inventory, or are no longer in it, are left alone (`coreops plan` shows them). Addresses go to
    .coreops/machines.json beside the inventory, host keys to known_hosts, so that the next command can connect:

        coreops provision inventories/prod --check

        coreops provision inventories/prod && coreops bootstrap inventories/prod
    """
    from coreops.cli import _provision as shared
    from coreops.cli._outcomes import print_changes, print_outcomes
    from coreops.provision import book
    from coreops.provision.create import Creation
    from coreops.provision.summary import summary
    from coreops.provision.survey import survey

    loaded = shared.load(inventory)
    names = shared.choose(loaded, limit)
    rendering = shared.Rendering(target, platform, allow_loss, allow_secrets)
    shares = shared.shares(loaded, shared.nodes(loaded), names, rendering, shared.progress)
    shared.warn(loaded, shares)
    only = None if limit is None else names
    if check:
        surveys = survey(shares, only)
        print_changes(surveys, calls=True, as_json_=as_json)
        typer.echo(summary(surveys), err=True)
        return 0
    with book.opened(loaded.base) as kept:
        surveys = survey(shares, only)
        typer.echo(summary(surveys), err=True)
        creation = Creation(kept, shared.progress, shared.reached(loaded), forks, wait)
        outcomes = creation.run(surveys)
    return print_outcomes(outcomes, as_json_=as_json)
