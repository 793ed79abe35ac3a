"""A rollout so far, folded from events: where every node stands and since when, how the store answered. Pure: the
caller says what time it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from coreops import events as ev


@dataclass(slots=True)
class NodeRow:
    """One node. ok None: not at its end yet. done, total: bytes of a transfer under way."""

    name: str
    phase: str = "waiting"
    slot: str = ""
    version: str = ""
    since: float | None = None
    note: str = ""
    ok: bool | None = None
    done: int = 0
    total: int = 0
    spans: list[tuple[str, float]] = field(default_factory=list)

    def enter(self, phase: str, now: float) -> None:
        """A new phase begins; the same one goes on."""
        if phase != self.phase or self.since is None:
            self.phase, self.since, self.done, self.total = phase, now, 0, 0
            self.spans.append((phase, now))


@dataclass(slots=True)
class RolloutTally:
    """Folds events. Not thread-safe: the caller serialises."""

    version: str = ""
    round: int = 1
    rounds: int = 1
    nodes: dict[str, NodeRow] = field(default_factory=dict)
    store: ev.StoreHealth | None = None
    stores: list[tuple[float, ev.StoreHealth]] = field(default_factory=list)

    def apply(self, event: ev.Event, now: float) -> None:
        """Take one event into account."""
        match event:
            case ev.RolloutPlanned():
                self.version, self.round, self.rounds = event.version, event.round, event.rounds
                for host in event.hosts:
                    row = self.nodes.setdefault(host, NodeRow(host))
                    row.ok = None
            case ev.NodePhase():
                row = self._row(event.host)
                row.enter(event.phase, now)
                self._seen(row, event.slot, event.version)
                row.note = event.note
            case ev.Progress(host=host) if host in self.nodes:
                row = self.nodes[host]
                row.done, row.total = event.done, event.total
            case ev.NodeFinished():
                row = self._row(event.host)
                row.enter(event.state, now)
                self._seen(row, event.slot, event.version)
                row.ok, row.note = event.ok, event.why
            case ev.StoreHealth():
                self.store = event
                self.stores.append((now, event))

    def _row(self, host: str) -> NodeRow:
        return self.nodes.get(host) or self.nodes.setdefault(host, NodeRow(host))

    @staticmethod
    def _seen(row: NodeRow, slot: str, version: str) -> None:
        row.slot, row.version = slot or row.slot, version or row.version
