"""A rollout as lines of text: each new phase of a node, each end, the store when it changes. For logs and pipes, and
for what must not scroll away above the live table. Writes through a function, so that it knows no stream.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from coreops import events as ev
from coreops.report.style import Style
from coreops.report.text import clean, one_line, seconds


class RolloutPlain:
    """``quiet``: only what went wrong and what the operator should read."""

    def __init__(self, write: Callable[[str], None], style: Style, *, quiet: bool = False) -> None:
        self._write = write
        self._style = style
        self._quiet = quiet
        self._width = 0
        self._began = time.monotonic()

    def __call__(self, event: ev.Event) -> None:
        for line in self._lines(event):
            self._write(line)

    def close(self) -> None:
        """Nothing is held."""

    def _lines(self, event: ev.Event) -> Iterator[str]:
        match event:
            case ev.RolloutPlanned(hosts=hosts, round=number, rounds=rounds, version=version):
                self._width = min(max((len(clean(host)) for host in hosts), default=0), 30)
                if rounds > 1:
                    yield self._style.paint("bold", f"round {number} of {rounds}: {one_line(version)}")
            case ev.NodePhase() if not self._quiet or event.note:
                yield self._line(event.host, event.phase, "running", _what(event.slot, event.version, event.note))
            case ev.NodeFinished() if not self._quiet:
                color = "done" if event.ok else "failed"
                yield self._line(event.host, event.state, color, _what(event.slot, event.version, event.why))
            case ev.StoreHealth() if not self._quiet:
                text = f"{event.healthy} of {event.voters} members healthy, leader {clean(event.leader) or 'unknown'}"
                yield self._line("etcd", "", "ok" if event.healthy == event.voters else "failed", text)
            case ev.Notice(text=text, host=host):
                prefix = f"{clean(host)}: " if host else ""
                yield self._style.paint("bold", "note ") + prefix + clean(text)

    def _line(self, host: str, state: str, color: str, text: str) -> str:
        age = seconds(time.monotonic() - self._began)
        shown = self._style.state(color, f"{one_line(state):<13}")
        return f"{age:>9}  {clean(host):<{self._width}}  {shown} {text}".rstrip()


def _what(slot: str, version: str, note: str) -> str:
    here = f"{clean(slot)} {clean(version)}".strip()
    return f"{here}  {one_line(note, 300)}".strip()
