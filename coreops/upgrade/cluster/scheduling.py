"""The scheduler's part in a node's turn: is it well enough; its cordon, drain and uncordon, asked of whatever host can
answer for the node. Knows talks and hosts; the adapters know the scheduler.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from coreops.errors import CoreopsError
from coreops.schedulers.protocol import OWN_QUORUM, Mark, Node, Scheduler, Talk, runs_on
from coreops.store import quorum
from coreops.upgrade.gates.spec import Moment
from coreops.upgrade.observation import Health

T = TypeVar("T")
_LOOK = 30.0


class Talking(Protocol):
    """Carries out talks (``schedulers.hands``)."""

    def talk(self, hosts: Sequence[str], make: Callable[[], Talk[T]], *, patience: float, title: str) -> T:
        """Run it on the first host that answers. Raises CoreopsError."""
        ...


class Scheduling:
    """One scheduler, and the hosts of it that a rollout may cordon."""

    def __init__(self, scheduler: Scheduler, hands: Talking) -> None:
        self._scheduler = scheduler
        self._hands = hands
        self.hosts = frozenset(scheduler.cluster.names)

    def cordon(self, node: str, token: int, patience: float) -> None:
        """No new work for the node."""
        mark = Mark(by="upgrade", token=token)
        self._about(node, lambda: self._scheduler.cordon(node, mark), patience, "cordon")

    def drain(self, node: str, token: int, patience: float) -> None:
        """Cordon it, and move its work away."""
        mark = Mark(by="upgrade", token=token)
        self.cordon(node, token, patience)
        self._about(node, lambda: self._scheduler.drain(node, mark), patience, "drain")

    def uncordon(self, node: str, token: int, patience: float) -> None:
        """Undo what an upgrade did to it, and wait until it takes work."""
        mark = Mark(by="upgrade", token=token)
        self._about(node, lambda: self._scheduler.uncordon(node, mark), patience, "uncordon")

    def look(self) -> tuple[Node, ...] | str:
        """All nodes it knows; or why it cannot say."""
        scheduler = self._scheduler
        try:
            return self._hands.talk(runs_on(scheduler), scheduler.nodes, patience=_LOOK, title="list the nodes")
        except CoreopsError as error:
            return f"{error.what}: {error.why}" if error.why else error.what

    def judged(self, node: str, moment: Moment, health: Health, seen: tuple[Node, ...] | str) -> Health:
        """Health, with what the scheduler has to say."""
        name = self._scheduler.cluster.scheduler
        why = f"{name} does not answer: {seen}" if isinstance(seen, str) else objection(name, node, moment, seen)
        if not why:
            return health
        verdict = "wait" if health.verdict == "ok" else health.verdict
        return replace(health, verdict=verdict, reasons=(*health.reasons, why))

    def _about(self, node: str, make: Callable[[], Talk[T]], patience: float, title: str) -> T:
        return self._hands.talk(self._scheduler.where(node), make, patience=patience, title=f"{title} {node}")


def objection(name: str, node: str, moment: Moment, nodes: Sequence[Node]) -> str:
    """Why a node may not go down now, or is not back yet. "" when nothing speaks against it. Pure."""
    own = next((each for each in nodes if each.host == node), None)
    if moment == "after":
        if own is None:
            return f"{name} does not know the node"
        return "" if own.state == "ready" else f"the node is {own.state} in {name}"
    voters = {each.name for each in nodes if each.role == "manager"}
    well = {each.name for each in nodes if each.role == "manager" and each.state == "ready"}
    if name in OWN_QUORUM and own is not None and own.role == "manager" and not quorum.may_stop(voters, well, own.name):
        return f"{name} would lose its quorum: {len(well)} of {len(voters)} managers are ready"
    return ""
