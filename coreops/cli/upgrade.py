"""``coreops upgrade INVENTORY``: every node to its channel's release, node by node. Flags and wiring only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from coreops.cli import _options as options

app = typer.Typer(add_completion=False)
_EXAMPLES = """\b
Examples:
  coreops upgrade inventories/lab --dry-run
  coreops upgrade inventories/lab --channel stable --yes
  coreops upgrade inventories/lab --window "Sat 02:00-05:00 Europe/Berlin" --wait --report out.html
  coreops upgrade inventories/lab --rehearse 1000
"""

Channel = Annotated[str | None, typer.Option("--channel", help="The channel to follow. [inventory: upgrade_channel]")]
Repository = Annotated[
    str | None,
    typer.Option("--repository", metavar="URL|DIR", help="The channel repository. [inventory: upgrade_repository]"),
]
Root = Annotated[
    str | None, typer.Option("--root", metavar="FILE", help="The pinned root of trust. [inventory: upgrade_root]")
]
Playbook = Annotated[
    Path | None, typer.Option("--playbook", metavar="FILE", help="Hooks: your own copy of playbooks/upgrade.yml.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Html = Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write a timeline as one HTML file.")]
MaxUnavailable = Annotated[
    str | None, typer.Option("--max-unavailable", metavar="N|N%", help="Nodes away at a time. [default: 1]")
]
MaxFailures = Annotated[
    int | None,
    typer.Option("--max-failures", min=0, help="Failed nodes (unreachable ones count) that do not stop it."),
]
Windows = Annotated[
    list[str] | None,
    typer.Option("--window", metavar="'DAYS FROM-TO ZONE'", help="Only then; may be given several times."),
]
Wait = Annotated[bool | None, typer.Option("--wait", help="Wait for the window to open instead of ending.")]
Soak = Annotated[str | None, typer.Option("--soak", metavar="SECONDS", help="Unbroken health before a slot is good.")]
AllowDowntime = Annotated[
    bool | None, typer.Option("--allow-downtime", help="The only member of a store may be rebooted.")
]


@app.command("upgrade", epilog=_EXAMPLES)
def upgrade(
    inventory: Annotated[Path, typer.Argument(envvar="COREOPS_INVENTORY", help="Inventory file or folder.")],
    channel: Channel = None,
    version: Annotated[str | None, typer.Option("--version", metavar="V", help="Exactly this release.")] = None,
    repository: Repository = None,
    root: Root = None,
    max_unavailable: MaxUnavailable = None,
    max_failures: MaxFailures = None,
    canaries: Annotated[int | None, typer.Option("--canaries", min=0, help="Nodes that go alone at first.")] = None,
    window: Windows = None,
    wait: Wait = None,
    soak: Soak = None,
    zone: Annotated[list[str] | None, typer.Option("--zone", help="Only the nodes of this failure domain.")] = None,
    limit: options.Limit = None,
    limit_rate: Annotated[
        str | None, typer.Option("--limit-rate", metavar="BYTES", help="Of images a second, all together: 10M, 500K.")
    ] = None,
    stage_only: Annotated[
        bool, typer.Option("--stage-only", help="Only write the image to the passive slots; nothing reboots.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan; touch nothing.")] = False,
    yes: Yes = False,
    allow_downgrade: Annotated[bool, typer.Option("--allow-downgrade", help="Go to an older release too.")] = False,
    allow_downtime: AllowDowntime = None,
    playbook: Playbook = None,
    report: Html = None,
    rehearse: Annotated[
        int, typer.Option("--rehearse", min=0, metavar="N", help="Simulate N rollouts of this plan under faults.")
    ] = 0,
    seed: Annotated[int | None, typer.Option("--seed", help="Of a rehearsal: replay this one, event by event.")] = None,
    nodes: Annotated[
        int | None, typer.Option("--nodes", min=1, help="Of a rehearsal: as if there were so many nodes.")
    ] = None,
    user: options.User = None,
    key: options.Key = None,
    transport: options.Transport = "paramiko",
    accept_new: options.AcceptNew = False,
    ask_become_pass: options.AskBecomePass = False,
    as_json: options.Json = False,
) -> int:
    """Take every node to the newest release of its channel, one failure domain at a time.

    Shows the plan, asks, stages the image on all passive slots, then reboots node after node: only with a lease,
    within the window, after a drain, while the store keeps its quorum. A node that does not come up well goes back.
    Run it again, or coreops resume, after whatever went wrong.

    """
    from coreops.cli._fleet import connection, source
    from coreops.cli._rollout import Manner, launch, named, rate
    from coreops.upgrade.planning.request import Request

    ways: dict[str, Any] = connection(user, key, transport, accept_new, ask_become_pass)
    password = ways.pop("become_password")
    flags = {
        "channel": channel,
        "repository": repository,
        "root": root,
        "max_unavailable": max_unavailable,
        "max_failures": max_failures,
        "canaries": canaries,
        "windows": window or None,
        "wait_for_window": wait,
        "soak": soak,
        "allow_downtime": allow_downtime,
    }
    request = Request(
        inventory=str(source(inventory)),
        version="" if version is None else named(version),
        playbook=str(playbook.resolve()) if playbook else "",
        limit=limit,
        zones=tuple(zone or ()),
        flags={name: value for name, value in flags.items() if value is not None},
        limit_rate=rate(limit_rate),
        stage_only=stage_only,
        allow_downgrade=allow_downgrade,
        connection=ways,
    )
    manner = Manner(dry_run=dry_run, yes=yes, as_json=as_json, html=report, password=password)
    if rehearse or seed is not None:
        from coreops.cli._rehearse import rehearse as play

        return play(request, manner, runs=rehearse, seed=seed, nodes=nodes)
    return launch(request, manner)
