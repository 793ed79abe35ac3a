"""``coreops upgrade --rehearse N``: the plan of an inventory, played on simulated nodes. Asks no host. Wiring only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from coreops.cli._rollout import Manner
    from coreops.upgrade.planning.request import Request


def rehearse(request: Request, manner: Manner, *, runs: int, seed: int | None, nodes: int | None) -> int:
    """Play ``runs`` rollouts and draw what came of them; 0 runs: play ``seed`` alone, event by event.

    Exit code 1 when an invariant broke, which is a fault of coreops.
    """
    import shutil
    from dataclasses import replace

    from coreops.cli._fleet import as_json
    from coreops.upgrade.planning import prepare
    from coreops.upgrade.planning.readers import share
    from coreops.upgrade.rehearse import rehearsal as stage
    from coreops.upgrade.rehearse.picture import picture

    plan = prepare.imagine(prepare.read(request, lambda event: None, channel=False))
    if nodes:
        plan = stage.enlarge(plan, nodes)
        asked = str(request.flags.get("max_unavailable", ""))
        if asked.endswith("%"):  # of so many nodes, not of the inventory's
            plan = replace(plan, policy=replace(plan.policy, max_unavailable=share(asked).of(nodes)))
    if not runs:
        lines = stage.replay(plan, seed or 0, wall=time.time())
        typer.echo(as_json("replay", {"seed": seed or 0, "lines": lines}) if manner.as_json else "\n".join(lines))
        return 0
    show = _counter(runs) if sys.stderr.isatty() and not manner.as_json else lambda done: None
    found = stage.rehearse(plan, runs=runs, seed=seed or 0, wall=time.time(), progress=show)
    if manner.html is not None:
        from coreops.report.rehearsal_html import page

        drawn = picture(found, 78)
        manner.html.write_text(page(drawn, found.durations(), runs, found.nodes), encoding="utf-8")
    if manner.as_json:
        typer.echo(as_json("rehearsal", found.as_dict()))
    else:
        typer.echo(picture(found, shutil.get_terminal_size().columns), nl=False)
        typer.echo(f"replay it: the same command with --seed {found.worst.seed} and without --rehearse")
    return 1 if found.broken else 0


def _counter(runs: int) -> Callable[[int], None]:
    def show(done: int) -> None:
        if done % 20 == 0 or done == runs:
            print(f"\r{done} of {runs} rollouts", end="\n" if done == runs else "", file=sys.stderr, flush=True)

    return show
