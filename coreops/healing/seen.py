"""What a look at a cluster found: machines, members of etcd, nodes of the scheduler. Pure data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One host of the inventory.

    store: it is to run etcd. answers: over SSH; why: what it says instead. registered: its record is in the store.
    data: it holds a member's data. active: its etcd runs, whether it serves or not. leased: who has it in hand, "" when
    nobody has. silent: seconds that nothing has been heard of it, as far as this process knows.
    """

    host: str
    store: bool = False
    answers: bool = False
    why: str = ""
    registered: bool = False
    data: bool = False
    active: bool = False
    leased: str = ""
    silent: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of etcd. host: "" when the inventory has none for it. healthy: it serves. urls: where it would."""

    id: int
    name: str
    host: str = ""
    voter: bool = True
    healthy: bool = False
    urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One node of the scheduler. host: "" when the inventory has none for it."""

    name: str
    host: str = ""
    ready: bool = False
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """members: None when etcd has no quorum to tell. registered: names of all hosts with a record, also strangers.

    scheduler: its name, "" without one or when it did not answer.
    """

    machines: tuple[Machine, ...]
    members: tuple[Member, ...] | None
    agents: tuple[Agent, ...] = ()
    registered: frozenset[str] = frozenset()
    scheduler: str = ""

    @property
    def alive(self) -> frozenset[str]:
        """The hosts with any sign of life: SSH, the registry, etcd or the scheduler."""
        return frozenset(
            {machine.host for machine in self.machines if machine.answers or machine.registered}
            | {member.host for member in self.members or () if member.healthy}
            | {agent.host for agent in self.agents if agent.ready}
        ) - {""}
