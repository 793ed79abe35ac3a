"""A simulated etcd: voters, a leader, elections, quorum; and what coreops keeps in it: leases with fencing tokens, and
denials. Linearizable by construction: it answers while there is a leader, and not otherwise. Knows no time: the world
tells it that a member went, came or caught up, and holds the elections it asks for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from coreops.store.quorum import quorum
from coreops.upgrade.observation import StoreView


@dataclass(frozen=True, slots=True)
class Held:
    """Who holds a lease, and since when. token: the revision at which it was acquired."""

    run: str
    token: int


class Store:
    """Without voters there is no etcd: leases are markers on the nodes, and always answer."""

    __slots__ = ("_view", "denied", "leader", "leases", "needed", "revision", "serving", "voters", "voting")

    def __init__(self, voters: Iterable[str], rng: Random) -> None:
        self.voters = frozenset(voters)
        self.voting = set(self.voters)
        self.serving = set(self.voters)
        self.needed = quorum(len(self.voters)) if self.voters else 0
        self.leader: str | None = rng.choice(sorted(self.voters)) if self.voters else None
        self.revision = 100
        self.leases: dict[str, Held] = {}
        self.denied: set[str] = set()
        self._view: StoreView | None = None

    @property
    def available(self) -> bool:
        return self.leader is not None or not self.voters

    @property
    def wants_election(self) -> bool:
        return bool(self.voters) and self.leader is None and len(self.voting) >= self.needed

    def view(self) -> StoreView:
        if self._view is None:
            self._view = StoreView(voters=self.voters, healthy=frozenset(self.serving), leader=self.leader)
        return self._view

    def went(self, member: str) -> None:
        """The member is gone: it neither votes nor serves."""
        self._view = None
        self.voting.discard(member)
        self.serving.discard(member)
        if self.leader == member or len(self.voting) < self.needed:
            self.leader = None

    def came(self, member: str) -> None:
        """The member votes; it lags behind until it has caught up."""
        self._view = None
        self.voting.add(member)

    def caught_up(self, member: str) -> None:
        if member in self.voting:
            self._view = None
            self.serving.add(member)

    def elect(self, rng: Random) -> None:
        """Somebody who is up to date wins."""
        if self.wants_election:
            self._view = None
            candidates = sorted(self.serving & self.voting) or sorted(self.voting)
            self.leader = rng.choice(candidates)

    def move(self, member: str) -> bool:
        """Hand the leadership over. False: it cannot be taken."""
        if self.leader is None or member not in self.serving:
            return False
        self._view = None
        self.leader = member
        return True

    def acquire(self, name: str, run: str, takes_over: frozenset[str]) -> Held:
        """Compare and swap: what is ours stays as it is, what a run holds that we may take over becomes ours, under a
        higher token. Returns the holder afterwards, which may be another run.
        """
        held = self.leases.get(name)
        if held is None or (held.run != run and held.run in takes_over):
            self.revision += 1
            held = self.leases[name] = Held(run, self.revision)
        return held

    def release(self, name: str, run: str) -> None:
        held = self.leases.get(name)
        if held is not None and held.run == run:
            self.revision += 1
            del self.leases[name]

    def force_release(self, name: str) -> Held | None:
        self.revision += 1
        return self.leases.pop(name, None)

    def deny(self, version: str) -> None:
        self.revision += 1
        self.denied.add(version)
