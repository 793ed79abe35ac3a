"""``coreops heal``: finds dead members and nodes, and repairs the cluster. Flags and wiring only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coreops.cli import _options as options

if TYPE_CHECKING:
    from coreops.healing.decide import Plan


def heal(
    inventory: options.Inventory = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again and again, until Ctrl-C.")] = False,
    after: Annotated[
        str,
        typer.Option("--after", metavar="TIME", help="With --watch: give a machine up after this much silence."),
    ] = "10m",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")] = False,
    playbook: Annotated[
        Path | None, typer.Option("--playbook", metavar="FILE", help="Your own copy of playbooks/bootstrap.yml.")
    ] = None,
    user: options.User = None,
    key: options.Key = None,
    transport: options.Transport = "paramiko",
    accept_new: options.AcceptNew = False,
    ask_become_pass: options.AskBecomePass = False,
    as_json: options.Json = False,
) -> int:
    """Find members of etcd and nodes of the scheduler that are dead, show what is to be done, ask, and do it.

    A member that lost its disk, or whose machine was replaced, is taken out and joins anew. What left the inventory and
    is dead is removed. A machine that only does not answer is left alone; with --watch it is given up after a while.
    Nothing is done that would cost the quorum, and nothing to a node that an upgrade has in hand.

    coreops heal -i inventories/lab

    coreops heal -i inventories/lab --watch --after 15m --yes
    """
    from coreops.cli import _fleet
    from coreops.cli._healing import opened, seconds
    from coreops.errors import ExitCode

    silence = seconds(after)
    connection = _fleet.connection(user, key, transport, accept_new, ask_become_pass)
    source = _fleet.source(inventory)

    def show(plan: Plan) -> None:
        _show(plan, as_json)

    with opened(
        source, connection, show, lambda plan: _approve(plan, yes), playbook=playbook, as_json=as_json
    ) as healer:
        if not watch:
            return healer.once()
        try:
            healer.watch(silence)
        except KeyboardInterrupt:
            return ExitCode.DONE
    return ExitCode.DONE


def _show(plan: Plan, as_json: bool) -> None:
    from coreops.cli import _fleet
    from coreops.report.text import one_line

    if as_json:
        told = {
            "acts": [{"do": type(act).__name__.lower(), "name": act.name, "why": act.why} for act in plan.acts],
            "waiting": plan.waiting,
            "refused": plan.refused,
        }
        typer.echo(_fleet.as_json("heal", told))
        return
    lines = [f"to do    {act}" for act in plan.acts]
    lines += [f"waiting  {each.host}: {each.why}" for each in plan.waiting]
    for refused in plan.refused:
        lines += [f"refused  {refused.what}: {refused.why}", f"         next: {refused.next}"]
    for line in lines or ["nothing is dead"]:
        typer.echo(one_line(line))


def _approve(plan: Plan, yes: bool) -> bool:
    import sys

    from coreops.cli._scheduler import say

    if yes:
        return True
    if sys.stdin.isatty():
        return typer.confirm("Do it?", err=True)
    say("nothing was done: nobody can be asked; pass --yes")
    return False
