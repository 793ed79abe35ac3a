"""``coreops plan INVENTORY``: how the machines differ from the inventory. Flags and wiring only."""

from __future__ import annotations

import typer

from coreops.cli import _options as options
from coreops.cli import _provision_options as own


def plan(
    inventory: own.Source,
    limit: options.Limit = None,
    target: own.Target = None,
    platform: own.Platform = None,
    allow_loss: own.AllowLoss = False,
    allow_secrets: own.AllowSecrets = False,
    as_json: options.Json = False,
) -> int:
    """Show how the machines differ from the inventory: missing, stopped, of another type, no longer wanted,
    put in another's place.

    Changes nothing. `provision` makes what is missing; what differs or is no longer wanted is yours to decide:

        coreops plan inventories/prod

        coreops provision inventories/prod --replace n2

        coreops destroy inventories/prod --removed
    """
    from coreops.cli import _provision as shared
    from coreops.cli._outcomes import print_changes
    from coreops.provision.summary import summary

    loaded = shared.load(inventory)
    names = shared.choose(loaded, limit)
    rendering = shared.Rendering(target, platform, allow_loss, allow_secrets)
    shares = shared.shares(loaded, shared.nodes(loaded), names, rendering, shared.progress)
    shared.warn(loaded, shares)
    surveys = shared.survey(loaded, shares, None if limit is None else names)
    print_changes(surveys, calls=False, as_json_=as_json)
    typer.echo(summary(surveys), err=True)
    return 0
