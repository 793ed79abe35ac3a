"""The live table on a terminal: one line a host while there is room, else those that failed or work, and a count.

Runs on rich in a thread of its own and reads the tally a few times a second; events only fold. Text goes to rich as
``Text``, never as markup.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, TextIO

from coreops import events as ev
from coreops.errors import counted
from coreops.report.style import STATE_COLORS
from coreops.report.tally import COUNTS, HostTally, Tally
from coreops.report.text import one_line, seconds

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.text import Text

_FIRST: Final = ("failed", "unreachable", "interrupted", "running", "connecting", "waiting", "done")
_PER_SECOND: Final = 8


class Live:
    """Shows the table until ``close``; ``line`` prints above it. What is folded and drawn is a subclass's matter: this
    one draws hosts, the one in ``rollout_live`` nodes.
    """

    def __init__(self, stream: TextIO, *, color: bool = True) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self.console: Console = Console(file=stream, no_color=not color, highlight=False, markup=False, emoji=False)
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._prepare()  # rich draws at once
        self._live = RichLive(
            console=self.console,
            get_renderable=self._render,
            refresh_per_second=_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._started = False

    def _prepare(self) -> None:
        self._tally = Tally()

    def _fold(self, event: ev.Event, now: float) -> bool:
        """Take an event into account; say whether there is something to show."""
        self._tally.apply(event, now)
        return bool(self._tally.hosts)

    def _draw(self, now: float, width: int, height: int) -> Group:
        return table(self._tally, now, self._began, width, height)

    def __call__(self, event: ev.Event) -> None:
        # Never print while holding the lock: the refreshing thread holds rich's lock when it asks for this one.
        with self._lock:
            filled = self._fold(event, time.monotonic())
        if isinstance(event, ev.RunFinished):
            self.close()
        elif not self._started and filled:
            self._started = True
            self._live.start(refresh=True)

    def line(self, text: str) -> None:
        """Print a line (clean, but for colours of ``style``) above the table."""
        from rich.text import Text

        self.console.print(Text.from_ansi(text), soft_wrap=True)

    def close(self) -> None:
        """Take the table away. Idempotent."""
        self._live.stop()

    def _render(self) -> Group:
        with self._lock:
            return self._draw(time.monotonic(), self.console.width, self.console.height)


def table(tally: Tally, now: float, began: float, width: int, height: int) -> Group:
    """The table, at most ``height`` lines of it."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    rows = choose_rows(tally, max(height - 2, 1))
    for _ in range(5):
        grid.add_column(no_wrap=True, overflow="ellipsis")
    cells = [_cells(row, now) for row in rows]
    # rich would shorten all columns alike; in a narrow terminal only the task gives way.
    taken = sum(max((cell[i].cell_len for cell in cells), default=0) + 2 for i in range(4))
    for row, cell in zip(rows, cells, strict=True):
        grid.add_row(*cell, Text(one_line(row.task, min(max(width - taken - 2, 8), 60))))
    return Group(grid, footer(tally, now - began))


def choose_rows(tally: Tally, room: int) -> list[HostTally]:
    """All hosts in order when they fit; else the failed and the working ones first, and nothing that only waits."""
    rows = list(tally.hosts.values())
    if len(rows) <= room:
        return rows
    busy = [row for row in rows if row.state not in ("waiting", "done")]
    return sorted(busy, key=lambda row: _FIRST.index(row.state) if row.state in _FIRST else len(_FIRST))[:room]


def footer(tally: Tally, elapsed: float) -> Text:
    """``1000 hosts: 2 failed, 30 running, 328 waiting, 640 done · 12 s``."""
    from rich.text import Text

    states = [(state, len(tally.in_state(state))) for state in _FIRST]
    said = ", ".join(f"{number} {state}" for state, number in states if number)
    return Text(
        f"{counted(len(tally.hosts), 'host')}: {said} · {seconds(elapsed)}",
        style="dim",
        no_wrap=True,
        overflow="ellipsis",
    )


def _cells(row: HostTally, now: float) -> tuple[Text, Text, Text, Text]:
    from rich.text import Text

    took = "" if row.started is None else seconds((row.ended or now) - row.started)
    return (
        Text(one_line(row.name, 30)),
        Text(row.state, style=STATE_COLORS.get(row.state, "")),
        Text(took),
        _counts(row),
    )


def _counts(row: HostTally) -> Text:
    """What there is to count: ``ok 20, changed 3``."""
    from rich.text import Text

    parts = [Text(f"{kind} {row.count(kind)}", style=STATE_COLORS[kind]) for kind in COUNTS if row.count(kind)]
    return Text(", ").join(parts)
