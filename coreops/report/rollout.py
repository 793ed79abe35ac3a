"""Picks the renderers of a rollout, and writes its last word: one line a node. Looks at streams as ``choose`` does."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from coreops import events as ev
from coreops.errors import ExitCode, counted
from coreops.report.compose import Report, Subscriber
from coreops.report.rollout_plain import RolloutPlain
from coreops.report.style import Style, is_terminal, wants_color
from coreops.report.text import clean, one_line, seconds


def choose_rollout(
    *,
    json: bool = False,
    html: Path | None = None,
    tty: bool | None = None,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
) -> Report:
    """Return the report of a rollout: an Emit, and a context manager that must be closed.

    stdout gets the last word (or JSON lines), stderr the progress. html: write a timeline there.
    """
    out, err = stdout or sys.stdout, stderr or sys.stderr
    subscribers: list[Subscriber] = []
    if html is not None:
        from coreops.report.rollout_html import Timeline

        subscribers.append(Timeline(html))
    if json:
        from coreops.report.jsonl import JsonLines

        return Report(*subscribers, JsonLines(_lines(out)))
    style = Style(wants_color(err))
    if is_terminal(err) if tty is None else tty:
        from coreops.report.rollout_live import RolloutLive

        live = RolloutLive(err, color=style.enabled)
        subscribers += [live, RolloutPlain(live.line, style, quiet=True)]
    else:
        subscribers.append(RolloutPlain(_lines(err), style))
    return Report(*subscribers, LastWord(_lines(out), Style(wants_color(out))))


class LastWord:
    """One line for each node when the run has finished, and the verdict."""

    def __init__(self, write: Callable[[str], None], style: Style) -> None:
        self._write = write
        self._style = style
        self._ended: dict[str, ev.NodeFinished] = {}
        self._hosts: tuple[str, ...] = ()
        self._began = time.monotonic()

    def __call__(self, event: ev.Event) -> None:
        match event:
            case ev.RunStarted(hosts=hosts):
                self._hosts = hosts
            case ev.NodeFinished(host=host):
                self._ended[host] = event
            case ev.RunFinished():
                for line in self._lines(event):
                    self._write(line)

    def close(self) -> None:
        """A run that broke off has no last word."""

    def _lines(self, run: ev.RunFinished) -> Iterator[str]:
        names = [*(host for host in self._hosts if host in self._ended), *sorted(set(self._ended) - set(self._hosts))]
        width = max((len(clean(name)) for name in names), default=0)
        state = max((len(one.state) for one in self._ended.values()), default=0)
        for name in names:
            one = self._ended[name]
            word = self._style.state("done" if one.ok else "failed", f"{one_line(one.state):<{state}}")
            runs = f"{clean(one.slot)} {clean(one.version)}".strip() or "-"
            why = "" if one.state == "done" else one_line(one.why, 300)
            yield f"{clean(name):<{width}}  {word}  {runs}  {why}".rstrip()
        bad = sum(not one.ok for one in self._ended.values())
        if names:
            verdict = (
                f"{bad} of {counted(len(names), 'node')} not upgraded" if bad else f"{counted(len(names), 'node')} done"
            )
            yield self._style.paint("red" if bad else "green", verdict) + f" in {seconds(run.seconds)}"
        if run.exit_code == ExitCode.INTERRUPTED:
            yield f"to go on: coreops resume {clean(run.run)}"


def _lines(stream: TextIO) -> Callable[[str], None]:
    def write(line: str) -> None:
        print(line, file=stream, flush=True)

    return write
