"""The live table of a rollout: one line a node (phase, slot, version, age, last event) while there is room, else those
that something happens to, and a count. Runs on rich in a thread of its own; events only fold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coreops import events as ev
from coreops.errors import counted
from coreops.report.live import Live
from coreops.report.rollout_tally import NodeRow, RolloutTally
from coreops.report.text import one_line, seconds

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

_HEAD: Final = ("node", "phase", "slot", "version", "age", "last event")
_IDLE: Final = ("waiting", "staged", "current", "not reached")


class RolloutLive(Live):
    """The live table, of nodes."""

    def _prepare(self) -> None:
        self._nodes = RolloutTally()

    def _fold(self, event: ev.Event, now: float) -> bool:
        self._nodes.apply(event, now)
        return isinstance(event, ev.RolloutPlanned)

    def _draw(self, now: float, width: int, height: int) -> Group:
        return table(self._nodes, now, self._began, width, height)


def table(tally: RolloutTally, now: float, began: float, width: int, height: int) -> Group:
    """The table, at most ``height`` lines of it."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    for _ in _HEAD:
        grid.add_column(no_wrap=True, overflow="ellipsis")
    rows = [tuple(Text(word, style="dim") for word in _HEAD)]
    rows += [_cells(row, now) for row in choose_rows(tally, max(height - 3, 1))]
    taken = sum(max(row[i].cell_len for row in rows) + 2 for i in range(len(_HEAD) - 1))
    for row in rows:
        row[-1].truncate(max(width - taken - 2, 8), overflow="ellipsis")
        grid.add_row(*row)
    return Group(grid, footer(tally, now - began))


def choose_rows(tally: RolloutTally, room: int) -> list[NodeRow]:
    """All nodes in order when they fit; else the failed ones, then those something happens to."""
    rows = list(tally.nodes.values())
    if len(rows) <= room:
        return rows
    busy = [row for row in rows if row.ok is not True and row.phase not in _IDLE]
    return sorted(busy, key=lambda row: row.ok is None)[:room]


def footer(tally: RolloutTally, elapsed: float) -> Text:
    """``3 nodes to 1.1.0: 1 at its end, 2 to go · etcd 3 of 3 healthy, leader n3 · 42 s``."""
    from rich.text import Text

    ended = sum(row.ok is not None for row in tally.nodes.values())
    bad = sum(row.ok is False for row in tally.nodes.values())
    parts = [f"{counted(len(tally.nodes), 'node')} to {one_line(tally.version)}: {ended} ended, {bad} not well"]
    if tally.rounds > 1:
        parts.append(f"round {tally.round} of {tally.rounds}")
    if tally.store:
        leader = one_line(tally.store.leader) or "unknown"
        parts.append(f"etcd {tally.store.healthy} of {tally.store.voters} healthy, leader {leader}")
    return Text(" · ".join([*parts, seconds(elapsed)]), style="dim", no_wrap=True, overflow="ellipsis")


def _cells(row: NodeRow, now: float) -> tuple[Text, ...]:
    from rich.text import Text

    colors = {None: "" if row.phase in _IDLE else "cyan", True: "green", False: "red"}
    moved = f"{100 * row.done // row.total} %, {row.done >> 20} of {row.total >> 20} MiB" if row.total else ""
    return (
        Text(one_line(row.name, 30)),
        Text(one_line(row.phase, 20), style=colors[row.ok]),
        Text(one_line(row.slot, 8)),
        Text(one_line(row.version, 24)),
        Text("" if row.since is None or row.ok is not None else seconds(now - row.since)),
        Text(one_line(row.note) or moved),
    )
