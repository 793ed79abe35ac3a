"""``coreops power on|off|reset NODE``: switch one machine through its provider. Flags and wiring only."""

from __future__ import annotations

from typing import Annotated

import typer

from coreops.cli import _options as options
from coreops.cli import _provision_options as own


def power(
    power: Annotated[str, typer.Argument(metavar="on|off|reset", help="What to do.")],
    node: Annotated[str, typer.Argument(metavar="NODE", help="A host of the inventory.")],
    inventory: options.Inventory = None,
    lose_quorum: own.LoseQuorum = False,
    wait: Annotated[float, typer.Option("--wait", min=0, help="Seconds until the provider must say so.")] = 300.0,
    as_json: options.Json = False,
) -> int:
    """Switch a machine that coreops made on or off, or reset it, as its provider can.

    Before a member of the store is switched off or reset, etcd is asked whether the others have a quorum. What changes
    with the switch, such as a public address, is kept for the next command.

        coreops power off n3 -i inventories/prod

        coreops power on n3 -i inventories/prod
    """
    from typing import get_args

    from coreops.cli import _provision as shared
    from coreops.cli import _quorum
    from coreops.cli._fleet import source
    from coreops.cli._outcomes import print_outcomes
    from coreops.errors import InputError, did_you_mean
    from coreops.providers.protocol import Power
    from coreops.provision import book
    from coreops.provision.power import switch

    asked: Power | None = next((each for each in get_args(Power) if each == power), None)
    if asked is None:
        raise InputError(
            f"a machine cannot be switched {power!r}",
            why=f"there are {', '.join(get_args(Power))}",
            next=did_you_mean(power, get_args(Power)),
        )
    where = source(inventory)
    loaded = shared.load(where)
    with book.opened(loaded.base) as kept:
        share, machine = shared.machine_of(loaded, node)
        if asked != "on" and machine.state != "stopped":
            gone = {node: machine.addresses.get("private_ipv4", "")}
            if told := _quorum.check(loaded, where, gone, allowed=lose_quorum, all_may_go=False):
                typer.echo(told, err=True)
        outcome = switch(share, machine, asked, kept, shared.reached(loaded), wait)
    return print_outcomes([outcome], as_json_=as_json)
