"""``coreops status``: how every node stands right now. Flags and wiring only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coreops.cli import _options as options

if TYPE_CHECKING:
    from coreops.errors import CoreopsError
    from coreops.upgrade.cluster.looks import Look
    from coreops.upgrade.observation import Observation


def status(
    inventory: Annotated[
        Path, typer.Option("--inventory", "-i", envvar="COREOPS_INVENTORY", help="Inventory file or folder.")
    ],
    limit: options.Limit = None,
    user: options.User = None,
    key: options.Key = None,
    transport: options.Transport = "paramiko",
    accept_new: options.AcceptNew = False,
    ask_become_pass: options.AskBecomePass = False,
    as_json: options.Json = False,
) -> int:
    """Show every node: version, slots, what is staged, what is under way; the store; rollouts. Changes nothing.

    coreops status -i inventories/lab

    coreops status -i inventories/lab --limit n1 --json
    """
    from coreops.cli import _fleet
    from coreops.errors import ExitCode, UnreachableError
    from coreops.upgrade.cluster.looks import store_of
    from coreops.upgrade.planning import fleet as fleets

    fleet = fleets.read(
        _fleet.source(inventory), limit, _fleet.connection(user, key, transport, accept_new, ask_become_pass)
    )
    with _fleet.opened(fleet, "status") as (nodes, _):
        looks = _fleet.look(fleet, nodes)
    store = store_of(looks)
    living = _living()
    if as_json:
        found = {host: {"seen": one.seen, "error": one.error and str(one.error)} for host, one in looks.items()}
        typer.echo(_fleet.as_json("status", {"hosts": found, "store": store, "rollouts": living}))
    else:
        head = ("node", "zone", "version", "slot", "boots next", "other slot", "state")
        rows = [head, *((host, fleet.zone(host) or "-", *_cells(one)) for host, one in looks.items())]
        lines = list(_fleet.columns(rows))
        if store:
            healthy = len(store.voters & store.healthy)
            lines.append(f"etcd: {healthy} of {len(store.voters)} members healthy, leader {store.leader or 'unknown'}")
        lines += [f"rollout under way from here: {run} (coreops why NODE, coreops abort)" for run in living]
        typer.echo("\n".join(lines))
    errors = [one.error for one in looks.values() if one.error]
    if any(not isinstance(error, UnreachableError) for error in errors):
        return ExitCode.FAILED
    return ExitCode.UNREACHABLE if errors else ExitCode.DONE


def _cells(look: Look) -> tuple[str, ...]:
    if look.seen is None:
        return ("-", "-", "-", "-", _said(look.error))
    seen = look.seen
    slot = seen.slot if seen.good else f"{seen.slot} (not good)"
    return (seen.version, slot, seen.next or "nothing", _other(seen), "; ".join(_state(seen)) or "ok")


def _other(seen: Observation) -> str:
    if seen.staged:
        return f"{seen.passive_version or seen.staged[:12]} staged"
    return seen.passive_version or "-"


def _state(seen: Observation) -> list[str]:
    said = [f"upgrade to {seen.ticket.version}: {seen.ticket.stage}"] if seen.ticket else []
    said += ["drained"] if seen.drained else []
    said += ["cordoned"] if seen.cordoned else []
    said += [f"failed: {', '.join(seen.failed_units)}"] if seen.failed_units else []
    return [*said, *seen.blockers]


def _living() -> list[str]:
    from coreops.upgrade.running.runs import all_runs

    return [run.id for run in all_runs() if run.alive]


def _said(error: CoreopsError | None) -> str:
    if error is None:
        return ""
    return f"{error.what}: {error.why}" if error.why else error.what
