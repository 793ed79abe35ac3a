"""``coreops abort [RUN]``: end a rollout safely. Flags and wiring only."""

from __future__ import annotations

import typer

from coreops.cli import _options as options
from coreops.cli import upgrade as up
from coreops.cli.resume import RunArgument

app = typer.Typer(add_completion=False)


@app.command("abort", epilog="\b\nExamples:\n  coreops abort\n  coreops abort 7f3a --yes")
def abort(
    run: RunArgument = None,
    yes: up.Yes = False,
    report: up.Html = None,
    ask_become_pass: options.AskBecomePass = False,
    as_json: options.Json = False,
) -> int:
    """End a rollout: nodes that have rebooted are finished, those that have not are put back, nothing new begins.

    One that runs is asked, and waited for. Of one that died, what was under way is finished from here.
    """
    from coreops.cli._rollout import Manner, ask_to_stop, launch_again
    from coreops.upgrade.running.runs import find

    found = find(run)
    if found.alive:
        return ask_to_stop(found)
    return launch_again(run, Manner(yes=yes, as_json=as_json, html=report), ask_become_pass, start_none=True)
