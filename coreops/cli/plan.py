"""``coreops plan INVENTORY``: how the machines differ from the inventory. Flags and wiring only."""

from __future__ import annotations

from typing import Annotated

import typer

from coreops.cli import _options as options
from coreops.cli import _provision_options as own

NoConnect = Annotated[bool, typer.Option("--no-connect", help="Do not ask machines that coreops does not make.")]


def plan(
    inventory: own.Source,
    limit: options.Limit = None,
    target: own.Target = None,
    platform: own.Platform = None,
    allow_loss: own.AllowLoss = False,
    allow_secrets: own.AllowSecrets = False,
    no_connect: NoConnect = False,
    user: options.User = None,
    key: options.Key = None,
    transport: options.Transport = "paramiko",
    accept_new: options.AcceptNew = False,
    as_json: options.Json = False,
) -> int:
    """Show how the machines differ from the inventory: missing, stopped, of another type, no longer wanted,
    put in another's place.

    Changes nothing. `provision` makes what is missing; what differs or is no longer wanted is yours to decide. Machines
    that coreops does not make are asked by SSH: reachable, unreachable, or a duplicate of another host.

        coreops plan inventories/prod

        coreops provision inventories/prod --replace n2

        coreops destroy inventories/prod --removed
    """
    from coreops.cli import _provision as shared
    from coreops.cli._fleet import connection
    from coreops.cli._outcomes import print_changes
    from coreops.cli._standing import asked
    from coreops.provision.summary import summary

    loaded = shared.load(inventory)
    names = shared.choose(loaded, limit)
    rendering = shared.Rendering(target, platform, allow_loss, allow_secrets)
    shares = shared.shares(loaded, shared.nodes(loaded), names, rendering, shared.progress)
    shared.warn(loaded, shares)
    surveys = shared.survey(loaded, shares, None if limit is None else names)
    code = 0
    if not no_connect:
        surveys, code = asked(inventory, surveys, connection(user, key, transport, accept_new, False))
    print_changes(surveys, calls=False, as_json_=as_json)
    typer.echo(summary(surveys), err=True)
    return code
