"""Picks the renderers of a run: the only place that looks at streams, terminals and the environment."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from coreops.report.compose import Report, Subscriber
from coreops.report.plain import LEVELS, QUIET, Plain
from coreops.report.style import Style, is_terminal, wants_color


def choose(
    *,
    json: bool = False,
    verbose: int = 0,
    tty: bool | None = None,
    junit: Path | None = None,
    run_dir: Path | None = None,
    outputs: bool = False,
    diffs: bool = True,
    summary: bool = True,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
) -> Report:
    """Return the report of a run: an Emit, and a context manager that must be closed.

    stdout gets results (JSON lines; command outputs; diffs and the recap), stderr progress (the live table on a
    terminal, else lines). outputs: the run is about what commands print (``coreops exec``). run_dir: write per-host
    logs below it. tty, stdout, stderr: for tests; None means what is really there.
    """
    out, err = stdout or sys.stdout, stderr or sys.stderr
    subscribers: list[Subscriber] = []
    if run_dir is not None:
        from coreops.report.hostlog import HostLogs

        subscribers.append(HostLogs(run_dir / "hosts"))
    if junit is not None:
        from coreops.report.junit import JUnit

        subscribers.append(JUnit(junit))
    if json:
        from coreops.report.jsonl import JsonLines

        return Report(*subscribers, JsonLines(_lines(out)))
    subscribers += _progress(err, verbose, is_terminal(err) if tty is None else tty, outputs=outputs)
    style = Style(wants_color(out))
    if outputs:
        from coreops.report.outputs import Outputs

        subscribers.append(Outputs(_lines(out), _lines(err), style))
    if summary:
        from coreops.report.summary import Summary

        if outputs:  # what commands printed is the result; a recap is worth reading when something went wrong
            subscribers.append(Summary(_lines(err), Style(wants_color(err)), only_trouble=True))
        else:
            log = str(run_dir) if run_dir is not None else ""
            subscribers.append(Summary(_lines(out), style, log=log, diffs=diffs))
    return Report(*subscribers)


def _progress(err: TextIO, verbose: int, tty: bool, *, outputs: bool) -> list[Subscriber]:
    style = Style(wants_color(err))
    shown = LEVELS[min(verbose, len(LEVELS) - 1)]
    if outputs:
        return [Plain(_lines(err), style, shown if verbose else frozenset())]
    if not tty:
        return [Plain(_lines(err), style, shown)]
    from coreops.report.live import Live

    live = Live(err, color=style.enabled)
    return [live, Plain(live.line, style, shown if verbose else QUIET)]


def _lines(stream: TextIO) -> Callable[[str], None]:
    def write(line: str) -> None:
        print(line, file=stream, flush=True)

    return write
