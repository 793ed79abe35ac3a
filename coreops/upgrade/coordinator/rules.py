"""When a node may go down. Each rule is one small function that answers "" (go on) or what to wait for, in words an
operator can read. Asked twice: before a node's turn begins, and at every gate within it, with what was read just then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Literal

from coreops.errors import counted
from coreops.store import quorum
from coreops.upgrade import window
from coreops.upgrade.observation import StoreView
from coreops.upgrade.plan import NodePlan, Plan


@dataclass(slots=True)
class Situation:
    """What the rules look at. busy: nodes that are down, may be down, or are about to be: node -> why. drained: those
    of them whose work has been moved away already. store: as the last gate or check found it. turn: how long a node's
    turn takes, in seconds.
    """

    plan: Plan
    nodes: Mapping[str, NodePlan]
    turn: float
    now: float = 0.0
    wall: float = 0.0
    stopped: str = ""
    store: StoreView | None = None
    busy: dict[str, str] = field(default_factory=dict)
    drained: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    members_left: set[str] = field(default_factory=set)
    canaries_left: set[str] = field(default_factory=set)
    zones: dict[str, int] = field(default_factory=dict)
    turns: int = 0

    def __post_init__(self) -> None:
        self.members_left = {name for name, node in self.nodes.items() if node.member}
        self.canaries_left = {name for name, node in self.nodes.items() if node.canary}

    def measured(self, seconds: float) -> None:
        """A turn took this long. The longest one counts; the guess counts until there is one."""
        self.turn = max(self.turn, seconds) if self.turns else seconds
        self.turns += 1

    def silent_store(self) -> StoreView:
        """What is known of a store that does not answer: its voters, and that none is known to be well."""
        members = frozenset(name for name, node in self.nodes.items() if node.member)
        return StoreView(voters=self.store.voters if self.store else members)

    def heir(self, node: str) -> str:
        """Who is to lead the store instead of a node: one that is done, when there is one. "" for nobody."""
        fit = (self.store.voters & self.store.healthy) - self.busy.keys() - {node} if self.store else frozenset[str]()
        return min(fit, key=lambda name: (name in self.members_left, name), default="")

    def take(self, node: str, why: str) -> None:
        """Count a node as not available."""
        if node not in self.busy:
            zone = self.nodes[node].zone
            self.zones[zone] = self.zones.get(zone, 0) + 1
        self.busy[node] = why

    def count(self, node: str, away: bool, why: str) -> None:
        """It is available, or not."""
        self.take(node, why) if away else self.free(node)

    def free(self, node: str) -> None:
        """It is available again."""
        if self.busy.pop(node, None) is not None:
            zone = self.nodes[node].zone
            self.zones[zone] -= 1
            if not self.zones[zone]:
                del self.zones[zone]


@dataclass(frozen=True, slots=True)
class Rule:
    """scope: whom a "no" concerns before a turn begins: the whole rollout, all nodes of the zone, this node; "" is not
    asked then. at_gate: what a "no" does at a gate: the node leaves its turn for now, or waits and asks again; "" is
    not asked there. backwards: asked at the gate of a node that is sent back to its old slot, too.
    """

    name: str
    scope: Literal["rollout", "zone", "node", ""]
    ask: Callable[[Situation, str], str]
    at_gate: Literal["leave", "wait", ""] = ""
    backwards: bool = False


def stopped(s: Situation, node: str) -> str:
    """Nothing begins after a stop, and nothing that has not rebooted yet goes on."""
    return s.stopped


def fits_some_day(s: Situation) -> bool:
    """Is this opening of the window, or one of the next, long enough for a turn? Windows come back every week."""
    windows, at = s.plan.policy.windows, s.wall
    for _ in range(20):
        opens = window.opens_at(windows, at)
        closes = window.closes_at(windows, opens)
        if closes is None or closes - opens >= s.turn:
            return True
        at = closes
    return False


def in_window(s: Situation, node: str) -> str:
    """The maintenance window is open, and the turn fits into what is left of it."""
    windows = s.plan.policy.windows
    if not windows:
        return ""
    if not fits_some_day(s):
        return f"the maintenance window is never open long enough for a turn of about {s.turn:.0f} s"
    if not window.open_at(windows, s.wall):
        return f"the maintenance window is closed; it opens {_utc(window.opens_at(windows, s.wall))}"
    closes = window.closes_at(windows, s.wall)
    if closes is not None and closes - s.wall < s.turn:
        return f"the maintenance window closes {_utc(closes)}: too soon for a turn of about {s.turn:.0f} s"
    return ""


def one_canary(s: Situation, node: str) -> str:
    """As long as a canary is left, canaries go, one at a time and alone."""
    if not s.canaries_left:
        return ""
    under_way = s.canaries_left & s.busy.keys() - {node}
    if node in s.canaries_left and not under_way:
        return ""
    return f"waits for the canary {min(under_way or s.canaries_left)}"


def max_unavailable(s: Situation, node: str) -> str:
    """Never more nodes down than allowed. One whose state is unknown counts as down."""
    others = len(s.busy) - (node in s.busy)
    if others + 1 <= s.plan.policy.max_unavailable:
        return ""
    some = "; ".join(f"{name}: {why}" for name, why in islice(s.busy.items(), 3) if name != node)
    return f"{counted(others, 'node')} of at most {s.plan.policy.max_unavailable} not available ({some})"


def one_zone(s: Situation, node: str) -> str:
    """Never two failure domains at a time."""
    own = s.nodes[node].zone
    others = [zone for zone, count in s.zones.items() if zone != own and count]
    return f"another zone is being worked on: {', '.join(sorted(others))}" if others else ""


def store_serves(s: Situation, node: str) -> str:
    """The store has its quorum now. (On the way back this may be what is being mended.)"""
    if not s.nodes[node].member:
        return ""
    if s.store is None or not quorum.has_quorum(s.store.voters, s.store.healthy):
        return "the store has no quorum, or did not answer"
    return ""


def keeps_quorum(s: Situation, node: str) -> str:
    """The store keeps its quorum without this node, and without those that are down or about to be."""
    if not s.nodes[node].member or s.store is None:
        return ""
    healthy = s.store.healthy - (s.busy.keys() - {node})
    if s.store.voters == {node}:
        return "" if s.plan.policy.allow_downtime else "it is the only member of the store: that would be downtime"
    if quorum.may_stop(s.store.voters, healthy, node):
        return ""
    return f"the store would lose its quorum: {len(healthy)} of {counted(len(s.store.voters), 'voter')} healthy"


def leader_last(s: Situation, node: str) -> str:
    """The leader of the store goes when all other members are done. A canary, or one that is drained already, is not
    made to wait: it hands the leadership over.
    """
    if s.store is None or s.store.leader != node or node in s.drained or node in s.canaries_left:
        return ""
    others = s.members_left - {node}
    return f"leads the store, so it goes after {', '.join(sorted(others))}" if others else ""


RULES: tuple[Rule, ...] = (
    Rule("stopped", "rollout", stopped, at_gate="leave"),
    Rule("window", "rollout", in_window, at_gate="leave"),
    Rule("max_unavailable", "rollout", max_unavailable, at_gate="leave"),
    Rule("canary", "zone", one_canary),
    Rule("zone", "zone", one_zone, at_gate="leave"),
    Rule("leader_last", "node", leader_last, at_gate="leave"),
    Rule("store_serves", "", store_serves, at_gate="wait"),
    Rule("quorum", "", keeps_quorum, at_gate="wait", backwards=True),
)


def budget_spent(s: Situation) -> str:
    """More nodes failed than the operator allowed for."""
    if len(s.failed) <= s.plan.policy.max_failures:
        return ""
    node, why = next(iter(s.failed.items()))
    return f"{counted(len(s.failed), 'node')} failed, {s.plan.policy.max_failures} allowed for ({node}: {why})"


def _utc(wall: float) -> str:
    return f"{datetime.fromtimestamp(wall, UTC):%a %Y-%m-%d %H:%M} UTC"
