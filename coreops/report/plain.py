"""Progress as lines of text, for logs, pipes and, above the live table, for what must not scroll away.

Quiet on what is as it should be. Writes through a function, so that it knows no stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from coreops import events as ev
from coreops.model import TaskResult
from coreops.report.style import Style
from coreops.report.tally import outcome, public
from coreops.report.text import clean, one_line, seconds

TAIL: Final = 10
# What to say by verbosity: 0 and no terminal, 1 (-v), 2 (-vv). The live table shows changes itself.
QUIET: Final = frozenset({"failed", "ignored", "unreachable"})
NORMAL: Final = QUIET | {"changed", "host"}
VERBOSE: Final = NORMAL | {"ok", "skipped", "connected", "output"}
TRACE: Final = VERBOSE | {"step"}
LEVELS: Final = (NORMAL, VERBOSE, TRACE)


class Plain:
    """One line for each thing worth saying."""

    def __init__(self, write: Callable[[str], None], style: Style, shown: frozenset[str] = NORMAL) -> None:
        self._write = write
        self._style = style
        self._shown = shown
        self._width = 0
        self._check = False
        self._explained: set[str] = set()

    def __call__(self, event: ev.Event) -> None:
        for line in self._lines(event):
            self._write(line)

    def close(self) -> None:
        """Nothing is held."""

    def _lines(self, event: ev.Event) -> Iterator[str]:
        match event:
            case ev.RunStarted(hosts=hosts, check=check):
                self._check = check
                self._width = min(max((len(clean(host)) for host in hosts), default=0), 30)
            case ev.PhaseStarted(title=title, index=index, total=total):
                yield self._style.paint("bold", f"[{index}/{total}] {one_line(title)}")
            case ev.PhaseFinished(summary=summary, ok=ok) if summary:
                yield "      " + self._style.state("ok" if ok else "failed", one_line(summary))
            case ev.Notice(text=text, host=host):
                prefix = f"{clean(host)}: " if host else ""
                yield self._style.paint("bold", "note ") + prefix + clean(text)
            case ev.PlayStarted(play=play, batch=batch, batches=batches) if "host" in self._shown:
                of = f" (batch {batch} of {batches})" if batches > 1 else ""
                yield self._style.paint("bold", f"play {one_line(play)}{of}")
            case ev.HostConnected(host=host, seconds=took) if "connected" in self._shown:
                yield self._line(host, "connected", seconds(took))
            case ev.HostUnreachable() if "unreachable" in self._shown:
                yield from self._unreachable(event)
            case ev.StepStarted(host=host, title=title) if "step" in self._shown:
                yield self._line(host, "starts", one_line(title))
            case ev.TaskFinished():
                yield from self._task(event)
            case ev.HostFinished() if "host" in self._shown and event.state != "unreachable":
                changed = "would change" if self._check else "changed"
                counts = f"ok {event.ok}, {changed} {event.changed}, failed {event.failed}, skipped {event.skipped}"
                yield self._line(event.host, event.state, counts)
                if event.error and not event.failed:
                    yield f"  why: {clean(event.error)}"

    def _unreachable(self, event: ev.HostUnreachable) -> Iterator[str]:
        """Explained once a message: a thousand hosts behind one dead switch are a thousand lines, not more."""
        yield self._line(event.host, "unreachable", one_line(event.message))
        if event.message not in self._explained:
            self._explained.add(event.message)
            if event.why:
                yield f"  why: {one_line(event.why, 300)}"
            if event.next:
                yield f"  next: {clean(event.next)}"

    def _task(self, event: ev.TaskFinished) -> Iterator[str]:
        result, kind = public(event.result), outcome(event)
        # What a task was written to show (debug) is said in any case.
        if kind not in self._shown and not result.data.get("_ansible_verbose_always"):
            return
        word = "would change" if kind == "changed" and self._check else kind
        item = f" ({one_line(event.item, 60)})" if event.item else ""
        said = clean(result.message).strip("\n").split("\n")
        head = f": {said[0]}" if said[0] else ""
        yield self._line(event.host, word, f"{one_line(event.name)}{item}{head}")
        yield from (f"  {line}" for line in said[1:])
        if kind in ("failed", "ignored") or "output" in self._shown:
            yield from _output(result)

    def _line(self, host: str, state: str, text: str) -> str:
        return f"{clean(host):<{self._width}}  {self._style.state(state, f'{state:<12}')} {text}"


def _output(result: TaskResult) -> Iterator[str]:
    """The end of what a command said, unless the message has it already."""
    for stream in ("stderr", "stdout"):
        text = result.data.get(stream)
        if not isinstance(text, str | bytes) or not text or clean(text).strip() in clean(result.message):
            continue
        lines = clean(text).rstrip("\n").split("\n")
        if len(lines) > TAIL:
            yield f"  {stream}: ({len(lines) - TAIL} lines before)"
        yield from (f"  {stream}: {line}" for line in lines[-TAIL:])
