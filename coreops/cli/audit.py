"""``coreops audit``: who is behind. Flags and wiring only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coreops.cli import _options as options
from coreops.cli import upgrade as up

if TYPE_CHECKING:
    from coreops.upgrade.auditing import Row
    from coreops.upgrade.channel.reader import Repository

app = typer.Typer(add_completion=False)


@app.command(
    "audit", epilog="\b\nExamples:\n  coreops audit -i inventories/lab\n  coreops audit --channel stable --json"
)
def audit(
    inventory: Annotated[
        Path | None, typer.Option("--inventory", "-i", envvar="COREOPS_INVENTORY", help="Inventory file or folder.")
    ] = None,
    channel: up.Channel = None,
    repository: up.Repository = None,
    root: up.Root = None,
    limit: options.Limit = None,
    user: options.User = None,
    key: options.Key = None,
    transport: options.Transport = "paramiko",
    accept_new: options.AcceptNew = False,
    ask_become_pass: options.AskBecomePass = False,
    as_json: options.Json = False,
) -> int:
    """Name every host that is not where its channel is: behind, denied, half upgraded, waiting for a reboot, silent.

    Without a channel repository hosts are compared with the newest of them. Exit code 1 when a host that answers is
    left behind, 3 when hosts that do not answer are all that is wrong. Changes nothing.
    """
    from coreops.cli import _fleet
    from coreops.upgrade import auditing
    from coreops.upgrade.channel.reader import open_channel
    from coreops.upgrade.planning import fleet as fleets
    from coreops.upgrade.planning import settings as wanted

    ways = _fleet.connection(user, key, transport, accept_new, ask_become_pass)
    fleet = fleets.read(_fleet.source(inventory), limit, ways)
    flags = {"channel": channel, "repository": repository, "root": root}
    settings = wanted.read(fleet.inventory, fleet.chosen, flags)
    opened: Repository | None = None
    if settings.repository and settings.root:
        opened = open_channel(settings.repository, settings.root)
    goals = _goals(opened, settings.channel)
    with _fleet.opened(fleet, "audit") as (nodes, asking):
        looks = _fleet.look(fleet, nodes)
        denied = _fleet.denied(fleet, asking)
    found = {host: one.seen or one.error for host, one in looks.items()}
    seen = {host: one for host, one in found.items() if one is not None}
    rows = auditing.audit(seen, goals, opened.releases() if opened else (), denied)
    if as_json:
        typer.echo(_fleet.as_json("audit", {"channel": settings.channel, "hosts": rows, "wanted": goals}))
    else:
        _print(rows, goals, settings.channel)
    return auditing.exit_code(rows)


def _goals(repository: Repository | None, channel: str | None) -> dict[str, str]:
    """Board -> version. Raises InputError for a channel that there is not."""
    from coreops.errors import InputError

    if repository is None:
        if channel:
            raise InputError("no channel repository is named", next="pass --repository and --root, or set them")
        return {}
    boards = repository.boards()
    if channel is None:
        raise InputError("no channel is named", next="pass --channel, or set upgrade_channel in the inventory")
    goals = {board: own[channel] for board in boards if channel in (own := repository.channels(board))}
    return goals or {board: repository.release(channel, board).version for board in boards or [""]}


def _print(rows: tuple[Row, ...], goals: Mapping[str, str], channel: str | None) -> None:
    from coreops.cli import _fleet
    from coreops.errors import counted

    shown = [("host", "version", "slot", "wanted", "behind", "")]
    shown += [
        (
            row.host,
            row.version or "-",
            row.slot or "-",
            row.wanted or "-",
            "-" if row.behind is None else str(max(row.behind, 0)),
            "ok" if row.well and not row.what else "; ".join(row.what),
        )
        for row in rows
    ]
    typer.echo("\n".join(_fleet.columns(shown)))
    bad = sum(not row.well for row in rows)
    where = f"channel {channel}" if goals else "the newest host"
    typer.echo(f"{counted(bad, 'host')} of {len(rows)} not at {where}" if bad else f"all {len(rows)} at {where}")
