"""``coreops uncordon NODE...``: let work come to nodes again. Flags and wiring only."""

from __future__ import annotations

from typing import Annotated

import typer

from coreops.cli import _options as options

_PATIENCE = 120.0


def uncordon(
    nodes: Annotated[list[str], typer.Argument(metavar="NODE", help="Which nodes: names or patterns.")],
    inventory: options.Inventory = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also when nobody can say whether an upgrade holds them.")
    ] = False,
    user: options.User = None,
    key: options.Key = None,
    transport: options.Transport = "paramiko",
    accept_new: options.AcceptNew = False,
    ask_become_pass: options.AskBecomePass = False,
    as_json: options.Json = False,
) -> int:
    """Let work come to nodes again, whoever had cordoned them; wait until they are ready for it.

    coreops uncordon n2 -i inventories/lab
    """
    from coreops.cli import _fleet
    from coreops.cli._scheduler import check_leases, chosen, opened, show

    connection = _fleet.connection(user, key, transport, accept_new, ask_become_pass)
    with opened("uncordon", inventory, connection) as (operator, wanted):
        hosts = chosen(operator, wanted, nodes)
        check_leases(wanted.inventory, connection, hosts, force=force)
        outcomes = operator.uncordon(hosts, _PATIENCE)
    return show(outcomes, as_json=as_json)
