"""The recap at the end of a run: diffs, hosts and their counts, errors grouped over hosts. It is the run's result."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from coreops import events as ev
from coreops.errors import counted
from coreops.report.style import Style
from coreops.report.tally import COUNTS, Group, HostTally, Tally
from coreops.report.text import clean, name_list, one_line, seconds

# More hosts than this are shown as groups of hosts with equal outcomes.
MANY: Final = 24


class Summary:
    """Collects, and writes when the run has finished."""

    def __init__(
        self,
        write: Callable[[str], None],
        style: Style,
        *,
        log: str = "",
        diffs: bool = True,
        only_trouble: bool = False,
    ) -> None:
        self._write = write
        self._style = style
        self._log = log
        self._diffs = diffs
        self._only_trouble = only_trouble
        self._tally = Tally()

    def __call__(self, event: ev.Event) -> None:
        self._tally.apply(event, time.monotonic())
        if not isinstance(event, ev.RunFinished):
            return
        if not self._only_trouble:
            lines = render(self._tally, self._style, log=self._log, diffs=self._diffs)
        elif _trouble(self._tally):
            lines = iter([*_errors(self._tally, self._style), _verdict(self._tally, self._style)])
        else:
            return
        for line in lines:
            self._write(line)

    def close(self) -> None:
        """A run that broke off has no recap."""


def render(tally: Tally, style: Style, *, log: str = "", diffs: bool = True) -> Iterator[str]:
    """The lines of the recap."""
    if diffs:
        for group in tally.in_order(tally.diffs):
            yield style.paint("bold", f"{name_list(group.hosts)}: {one_line(group.name)}")
            yield style.diff(clean(group.text))
            yield ""
    yield from _table(tally, style)
    if tally.unknown:
        yield ""
        yield "check mode could not tell:"
        for group in tally.in_order(tally.unknown):
            yield f"  {one_line(group.text)} ({name_list(group.hosts)})"
    yield from _errors(tally, style)
    yield _verdict(tally, style)
    if log:
        yield style.paint("dim", f"log: {clean(log)}")


def _table(tally: Tally, style: Style) -> Iterator[str]:
    rows = [_row(host) for host in tally.hosts.values()]
    if len(rows) > MANY:
        groups: dict[tuple[str, ...], list[str]] = {}
        for name, *rest in rows:
            groups.setdefault(tuple(rest), []).append(name)
        rows = [(f"{counted(len(names), 'host')} ({name_list(names)})", *rest) for rest, names in groups.items()]
    changed = "would change" if tally.check else "changed"
    head = ("host", "state", "ok", changed, "failed", "skipped")
    if not rows:
        return
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        cells = [row[0].ljust(widths[0]), row[1].ljust(widths[1])]
        cells += [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        if row is head:
            yield style.paint("dim", "  ".join(cells))
        else:
            colors = ("", row[1], "ok", "changed", "failed", "skipped")
            yield "  ".join(
                style.state(color, cell) if value != "0" else style.paint("dim", cell)
                for color, cell, value in zip(colors, cells, row, strict=True)
            )


def _row(host: HostTally) -> tuple[str, ...]:
    return (clean(host.name), host.state, *(str(host.count(kind)) for kind in COUNTS))


def _errors(tally: Tally, style: Style) -> Iterator[str]:
    if tally.errors:
        yield ""
    for group in sorted(tally.in_order(tally.errors), key=lambda one: -len(one.hosts)):
        yield from _error(group, style)


def _error(group: Group, style: Style) -> Iterator[str]:
    first, *rest = clean(group.text).strip("\n").split("\n")
    yield style.paint("red", f"{counted(len(group.hosts), 'host')}: {first}") + f" ({name_list(group.hosts)})"
    yield from (f"  {line}" for line in rest[:20])
    if group.why:
        yield f"  why: {one_line(group.why, 300)}"
    if group.next:
        yield f"  next: {clean(group.next)}"


def _trouble(tally: Tally) -> dict[str, int]:
    """How many hosts ended badly, by state."""
    states = ("failed", "unreachable", "interrupted", "waiting", "running")
    return {state: number for state in states if (number := len(tally.in_state(state)))}


def _verdict(tally: Tally, style: Style) -> str:
    total = len(tally.hosts)
    parts = [f"{number} {state}" for state, number in _trouble(tally).items()]
    changed = sum(host.count("changed") for host in tally.hosts.values())
    if parts:
        text = style.paint("red", f"{', '.join(parts)} of {counted(total, 'host')}")
    elif not changed:
        text = style.paint("green", f"{counted(total, 'host')}: nothing to change")
    else:
        verb = "would be made" if tally.check else "made"
        text = style.paint("green", f"{counted(total, 'host')} done") + f", {counted(changed, 'change')} {verb}"
    took = f" in {seconds(tally.finished.seconds)}" if tally.finished else ""
    return f"{text}{took}"
