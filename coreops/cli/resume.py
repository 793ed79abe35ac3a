"""``coreops resume [RUN]``: go on with a rollout whose controller ended too early. Flags and wiring only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coreops.cli import _options as options
from coreops.cli import upgrade as up

app = typer.Typer(add_completion=False)
RunArgument = Annotated[str | None, typer.Argument(metavar="[RUN]", help="Which rollout. [default: the newest]")]


@app.command(
    "resume",
    epilog="\b\nExamples:\n  coreops resume\n  coreops resume 7f3a --yes\n"
    "  coreops resume 20261121-073421419-316a -i inventories/prod      the run was another machine's",
)
def resume(
    run: RunArgument = None,
    inventory: Annotated[
        Path | None,
        typer.Option("--inventory", "-i", help="Of a run of another machine, which must be named in full."),
    ] = None,
    yes: up.Yes = False,
    report: up.Html = None,
    ask_become_pass: options.AskBecomePass = False,
    as_json: options.Json = False,
) -> int:
    """Go on with a rollout that was interrupted, or whose controller died: to the same release, with the same flags.

    Nothing is remembered that can be read: every node is looked at anew, its ticket says what was under way. Leases of
    the run that ended are taken over; those of anybody else are not. A run of another machine needs its inventory, and
    goes to the release it was on the way to, or else to what the channel has now.
    """
    from coreops.cli._rollout import Manner, launch_again, take_over

    manner = Manner(yes=yes, as_json=as_json, html=report)
    if inventory is not None and run is not None:
        return take_over(run, inventory, manner, ask_become_pass)
    return launch_again(run, manner, ask_become_pass)
