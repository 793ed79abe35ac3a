"""A small model of etcd's membership rules, to run ``members.plan`` against. It raises when a rule of etcd's or of ours
is broken: quorum lost by our own action, data of a formed cluster thrown away, a second cluster formed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from coreops.store import members as m
from coreops.store import quorum
from coreops.store.cluster import Member
from coreops.store.etcdctl import MemberInfo, Status
from coreops.store.observe import Node


def member(n: int) -> Member:
    return Member(f"n{n}", f"10.0.0.{n}")


@dataclass
class Machine:
    active: bool = False
    data: int | None = None  # the member id its data belongs to
    formed: bool = False
    first: str = ""
    stale: bool = False


@dataclass
class Cluster:
    machines: dict[str, Machine] = field(default_factory=dict)
    entries: list[MemberInfo] = field(default_factory=list)
    leader: int | None = None
    ids: int = 100
    formations: int = 0
    log: list[object] = field(default_factory=list)

    def voters(self) -> set[int]:
        return {e.id for e in self.entries if not e.learner}

    def up(self) -> set[int]:
        return {x.data for x in self.machines.values() if x.active and x.data is not None}

    def settle(self) -> None:
        """What etcd does by itself: elect, publish names, send READY."""
        if not quorum.has_quorum(self.voters(), self.up()) or not self.voters():
            self.leader = None
            return
        if self.leader not in self.up() & self.voters():
            self.leader = min(self.up() & self.voters())
        for name, machine in self.machines.items():
            if machine.active and machine.data in {e.id for e in self.entries}:
                machine.formed = True
                self.entries = [replace(e, name=name) if e.id == machine.data else e for e in self.entries]

    def observe(self, wanted: Sequence[Member]) -> dict[str, Node]:
        self.settle()
        nodes = {}
        for item in wanted:
            x = self.machines.setdefault(item.name, Machine())
            entry = next((e for e in self.entries if e.id == x.data), None)
            speaks = x.active and entry is not None
            serves = speaks and self.leader is not None
            status = Status(1, entry.id, self.leader or 0, "3.5.1", entry.learner) if speaks and entry else None
            nodes[item.name] = Node(
                host=item.name, active=x.active, data=x.data is not None, formed=x.formed, first=x.first,
                stale=x.stale and x.active, healthy=bool(serves and entry and not entry.learner), status=status,
                members=tuple(self.entries) if serves else None,
            )  # fmt: skip
        return nodes

    def alive(self) -> frozenset[int]:
        return frozenset(self.up()) if self.leader is not None else frozenset()

    def apply(self, action: m.Action, wanted: Sequence[Member], some: int = 99) -> None:
        """``some``: an interrupted run reaches only so many hosts."""
        self.log.append(action)
        had = self.leader is not None
        match action:
            case m.Form(hosts, reset):
                assert not had
                for name in hosts[:some]:
                    x = self.machines[name]
                    assert not x.formed, "formed data must not be used to form again"
                    if name in reset:
                        x.active, x.data = False, None
                    x.first = firsts(wanted)[name]
                    number = next(i for i, w in enumerate(wanted) if w.name == name)
                    x.active, x.data, x.stale = True, 1 + number, False
                if all(self.machines[w.name].first == firsts(wanted)[w.name] for w in wanted) and not self.entries:
                    self.formations += 1
                    self.entries = [MemberInfo(1 + i, "", (w.peer_url,)) for i, w in enumerate(wanted)]
            case m.Start(hosts):
                for name in hosts[:some]:
                    assert self.machines[name].data is not None
                    self.machines[name].active, self.machines[name].stale = True, False
            case m.Reset(host):
                x = self.machines[host]
                assert x.data not in {e.id for e in self.entries}, "the data of a member was thrown away"
                self.machines[host] = Machine(first=x.first)
            case m.AddLearner(host):
                assert had
                assert self.voters() <= self.up(), "etcdserver: unhealthy cluster"
                assert not any(e.learner for e in self.entries), "too many learner members"
                self.ids += 1
                url = next(w.peer_url for w in wanted if w.name == host)
                self.entries.append(MemberInfo(self.ids, "", (url,), learner=True))
            case m.StartLearner(host):
                x = self.machines[host]
                assert x.data is None
                assert not x.formed
                url = next(w.peer_url for w in wanted if w.name == host)
                entry = next(e for e in self.entries if url in e.peer_urls)
                x.active, x.data, x.stale = True, entry.id, False
            case m.Promote(_, id):
                assert had
                assert id in self.up(), "can only promote a learner in sync"
                self.entries = [replace(e, learner=False) if e.id == id else e for e in self.entries]
            case m.RemoveMember(_, id):
                assert had
                self.entries = [e for e in self.entries if e.id != id]
                assert self.voters(), "the last voter was removed"
            case m.MoveLeader(to):
                assert to in self.up() & self.voters()
                self.leader = to
            case m.Restart(host):
                x = self.machines[host]
                if len(self.voters()) > 1 and had:
                    assert x.data != self.leader, "the leader was restarted"
                    assert quorum.has_quorum(self.voters(), self.up() - {x.data})
                x.stale = False
            case m.Wait() | m.Refuse() | m.Done():
                pass
        if had:
            assert quorum.has_quorum(self.voters(), self.up()), f"{action} cost the quorum"


def firsts(wanted: Sequence[Member]) -> dict[str, str]:
    text = ",".join(w.name for w in wanted)
    return {w.name: text for w in wanted}


def run(
    cluster: Cluster, wanted: Sequence[Member], *, prune: bool = False, limit: int = 80, some: int = 99
) -> m.Action:
    """Plan and apply until nothing moves any more; return the last decision."""
    action: m.Action = m.Wait("nothing")
    for _ in range(limit):
        action = m.plan(wanted, cluster.observe(wanted), firsts(wanted), prune=prune, alive=cluster.alive())
        if isinstance(action, m.Done | m.Refuse | m.Wait):
            return action
        cluster.apply(action, wanted, some)
    return action
