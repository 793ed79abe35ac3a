"""The timeline of a rollout as one HTML file: a bar a node with its phases in colours, etcd's health and the number of
nodes that were away below. Self-contained (no script, nothing fetched), readable on a phone and in the dark.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Final

from coreops import events as ev
from coreops.report.rollout_tally import NodeRow, RolloutTally
from coreops.report.text import clean, one_line, seconds

_QUIET: Final = ("waiting", "ready", "staged", "current")
_COLORS: Final = {
    "survey": "#9aa5b1",
    "stage": "#5b8def",
    "lease": "#b48ead",
    "gate": "#b48ead",
    "drain": "#e0a030",
    "activate": "#d08030",
    "reboot": "#d0543c",
    "return": "#d0543c",
    "check": "#3fa37c",
    "mark good": "#2f8f5b",
    "undrain": "#7fb069",
    "roll back": "#c03060",
    "revert": "#c03060",
}
_OTHER: Final = "#8c8c9e"
_LEAVES: Final = ("drain", "activate", "reboot", "return", "roll back")
_IS_BACK: Final = ("release", "ready", "done", "current", "failed", "rolled back", "not reached")
"""From the first of the former to the next of the latter a node does not do its work. (Phases, and outcomes.)"""
_STYLE: Final = """
:root{color-scheme:light dark}body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem}
h1{font-size:1.25rem;margin:0 0 .2rem}h2{font-size:1rem;margin:1.4rem 0 .4rem}p{margin:.2rem 0}
.node{margin:.7rem 0}.name{display:flex;flex-wrap:wrap;gap:.2rem .8rem;align-items:baseline}.name b{min-width:4rem}
.why{opacity:.75;font-size:.85rem}.bar{display:flex;height:1.3rem;border-radius:.3rem;overflow:hidden;background:#8883}
.bar i{display:block;height:100%;min-width:1px}.ok{color:#2f8f5b}.bad{color:#d0543c}
.legend{display:flex;flex-wrap:wrap;gap:.2rem .9rem;font-size:.85rem}.legend i{display:inline-block;width:.8rem;
height:.8rem;border-radius:.2rem;margin-right:.3rem;vertical-align:-.1rem}svg{width:100%;height:4rem;background:#8882;
border-radius:.3rem}.axis{display:flex;justify-content:space-between;font-size:.8rem;opacity:.7}
"""


class Timeline:
    """Collects, and writes the file when the run has finished."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tally = RolloutTally()
        self._began = time.monotonic()
        self._run = ""

    def __call__(self, event: ev.Event) -> None:
        now = time.monotonic()
        self._tally.apply(event, now)
        if isinstance(event, ev.RunStarted):
            self._run, self._began = event.run, now
        if isinstance(event, ev.RunFinished):
            self._path.write_text(page(self._tally, self._run, self._began, now, event.exit_code), encoding="utf-8")

    def close(self) -> None:
        """Written already."""


def page(tally: RolloutTally, run: str, began: float, ended: float, code: int) -> str:
    """The whole file. began, ended: on the clock the tally was fed with."""
    span = max(ended - began, 0.001)
    title = f"Upgrade to {one_line(tally.version)}" if tally.version else "Rollout"
    bars = "\n".join(_node(row, began, ended) for row in tally.nodes.values())
    verdict = "done" if code == 0 else f"exit code {code}"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{escape(title)}</title><style>{_STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<p>run {escape(clean(run))}: {len(tally.nodes)} nodes in {seconds(span)}, {verdict}</p>
{bars}
<div class="axis"><span>0 s</span><span>{seconds(span)}</span></div>
<p class="legend">{_legend(tally)}</p>
<h2>Nodes away at the same time (most: {max((n for _, n in _away(tally)), default=0)})</h2>
{_steps(_away(tally), began, ended, "#d0543c")}
{_store(tally, began, ended)}
</body></html>
"""


def _node(row: NodeRow, began: float, ended: float) -> str:
    parts = []
    at = began
    for phase, start, stop in _spans(row, ended):
        if start > at:
            parts.append(_part("", at, start, ended - began))
        parts.append(_part(phase, start, stop, ended - began))
        at = stop
    word = "" if row.ok is None else f'<span class="{"ok" if row.ok else "bad"}">{escape(one_line(row.phase))}</span>'
    runs = escape(f"{clean(row.slot)} {clean(row.version)}".strip())
    why = f'<div class="why">{escape(one_line(row.note, 400))}</div>' if row.note else ""
    name = f'<div class="name"><b>{escape(clean(row.name))}</b>{word}<span>{runs}</span></div>'
    return f'<div class="node">{name}<div class="bar">{"".join(parts)}</div>{why}</div>'


def _part(phase: str, start: float, stop: float, span: float) -> str:
    width = f"width:{100 * (stop - start) / span:.3f}%"
    if not phase or phase in _QUIET:
        return f'<i style="{width}"></i>'
    title = escape(f"{phase}, {seconds(stop - start)}")
    return f'<i style="{width};background:{_COLORS.get(phase, _OTHER)}" title="{title}"></i>'


def _spans(row: NodeRow, ended: float) -> Iterator[tuple[str, float, float]]:
    """Phases with their beginning and end; the last one of a node that is at its end is no phase."""
    ends = [start for _, start in row.spans[1:]] + [ended]
    spans = [(phase, start, stop) for (phase, start), stop in zip(row.spans, ends, strict=True)]
    yield from spans[:-1] if row.ok is not None else spans


def _away(tally: RolloutTally) -> list[tuple[float, int]]:
    """How many nodes were away, from each moment at which that changed."""
    moves: list[tuple[float, int]] = []
    for row in tally.nodes.values():
        away = False
        for phase, start in row.spans:
            if phase in (_IS_BACK if away else _LEAVES):
                away = not away
                moves.append((start, 1 if away else -1))
    number, found = 0, []
    for moment, change in sorted(moves):
        number += change
        found.append((moment, number))
    return found


def _store(tally: RolloutTally, began: float, ended: float) -> str:
    if not tally.stores:
        return ""
    points = [(moment, health.healthy) for moment, health in tally.stores]
    voters = max(health.voters for _, health in tally.stores)
    head = f"<h2>Healthy members of etcd (of {voters}, least: {min(n for _, n in points)})</h2>"
    return head + _steps(points, began, ended, "#2f8f5b", top=voters)


def _steps(points: list[tuple[float, int]], began: float, ended: float, color: str, top: int = 0) -> str:
    """A step curve over the whole time."""
    top = max([top, 1, *(number for _, number in points)])
    span = max(ended - began, 0.001)

    def x(moment: float) -> str:
        return f"{1000 * min(max(moment - began, 0.0), span) / span:.1f}"

    def y(number: int) -> str:
        return f"{95 - 90 * number / top:.1f}"

    path = f"M{x(points[0][0])} {y(points[0][1])}" if points else ""
    path += "".join(f"H{x(moment)}V{y(number)}" for moment, number in points[1:])
    path += f"H{x(ended)}" if points else ""
    line = f'<path d="{path}" fill="none" stroke="{color}" stroke-width="2" vector-effect="non-scaling-stroke"/>'
    return f'<svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img">{line if points else ""}</svg>'


def _legend(tally: RolloutTally) -> str:
    seen = dict.fromkeys(phase for row in tally.nodes.values() for phase, _, _ in _spans(row, 0.0))
    return " ".join(
        f'<span><i style="background:{_COLORS.get(phase, _OTHER)}"></i>{escape(phase)}</span>'
        for phase in seen
        if phase not in _QUIET
    )
