"""From the wanted members and the observed cluster to the next action. Pure: it is asked again after every action,
keeps no state, and so continues wherever an interrupted run has stopped.

Safety rules, all exercised by the simulator in the tests: data of a formed cluster is never used to form another one; a
member that lost its data is removed before it joins again, as a learner; nothing that runs is stopped or removed when
that would cost the quorum; one at a time, the leader last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from coreops.store import quorum
from coreops.store.cluster import Member
from coreops.store.etcdctl import MemberInfo
from coreops.store.observe import Node


@dataclass(frozen=True, slots=True)
class Form:
    """Start a new cluster: write the first membership on these hosts and start them all at once. ``reset``: hosts that
    hold the data of an attempt with another membership, which never had quorum."""

    hosts: tuple[str, ...]
    reset: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Start:
    """Start members that have their data."""

    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reset:
    """Stop etcd and set its data aside: the cluster does not know this member (any more)."""

    host: str
    why: str


@dataclass(frozen=True, slots=True)
class AddLearner:
    host: str


@dataclass(frozen=True, slots=True)
class StartLearner:
    """Start an added member for the first time, on an empty data folder, told to join."""

    host: str


@dataclass(frozen=True, slots=True)
class Promote:
    host: str
    id: int


@dataclass(frozen=True, slots=True)
class RemoveMember:
    name: str
    id: int
    why: str


@dataclass(frozen=True, slots=True)
class MoveLeader:
    to: int
    name: str
    leader: str


@dataclass(frozen=True, slots=True)
class Restart:
    """Restart one member so that it takes up what is installed."""

    host: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do but to look again."""

    why: str
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refuse:
    what: str
    why: str
    next: str


@dataclass(frozen=True, slots=True)
class Done:
    """Every wanted member is a healthy voter with the installed settings. ``strays`` are members nobody wants."""

    strays: tuple[MemberInfo, ...] = ()


Action = (
    Form
    | Start
    | Reset
    | AddLearner
    | StartLearner
    | Promote
    | RemoveMember
    | MoveLeader
    | Restart
    | Wait
    | Refuse
    | Done
)


@dataclass(frozen=True, slots=True)
class Membership:
    """The member list, matched with the inventory."""

    entries: tuple[MemberInfo, ...]
    of_host: Mapping[str, MemberInfo]
    strays: tuple[MemberInfo, ...]
    healthy: frozenset[int]
    leader: int | None

    @property
    def voters(self) -> frozenset[int]:
        return frozenset(entry.id for entry in self.entries if not entry.learner)


def membership(wanted: Sequence[Member], nodes: Mapping[str, Node], alive: frozenset[int]) -> Membership | None:
    """The member list as the most advanced healthy voter tells it; None when there is no quorum to tell it.

    ``alive``: strays that were asked and answered; one that was not asked counts as down.
    """
    serving = [
        node
        for node in nodes.values()
        if node.healthy and node.members is not None and node.status is not None and not node.status.learner
    ]
    if not serving:
        return None
    source = max(serving, key=lambda node: node.status.raft_index if node.status else 0)
    entries = source.members or ()
    of_host: dict[str, MemberInfo] = {}
    for member in wanted:
        for entry in entries:
            if entry.name == member.name or (not entry.name and member.peer_url in entry.peer_urls):
                of_host[member.name] = entry
    matched = {entry.id for entry in of_host.values()}
    healthy = {of_host[node.host].id for node in serving if node.host in of_host and node.host in nodes}
    return Membership(
        entries,
        of_host,
        tuple(entry for entry in entries if entry.id not in matched),
        frozenset(healthy) | alive,
        (source.status.leader or None) if source.status else None,
    )


def plan(
    wanted: Sequence[Member],
    nodes: Mapping[str, Node],
    firsts: Mapping[str, str],
    *,
    prune: bool = False,
    alive: frozenset[int] = frozenset(),
) -> Action:
    """Decide. ``nodes`` has every wanted host. ``firsts``: the members each host must be told of while the cluster is
    being formed."""
    state = membership(wanted, nodes, alive)
    if state is None:
        return _without_quorum(wanted, nodes, firsts)
    return (
        _moved(wanted, state)
        or _bring_back(wanted, nodes, state)
        or _learner(wanted, nodes, state)
        or _repair(wanted, nodes, state)
        or _change(wanted, nodes, state, prune)
        or _roll(wanted, nodes, state)
        or Done(state.strays)
    )


def _without_quorum(wanted: Sequence[Member], nodes: Mapping[str, Node], firsts: Mapping[str, str]) -> Action:
    names = [member.name for member in wanted]
    formed = [name for name in names if nodes[name].formed]
    if not formed:
        late = [name for name in names if not nodes[name].active or nodes[name].first != firsts[name]]
        if late:
            reset = [name for name in late if nodes[name].data and nodes[name].first != firsts[name]]
            return Form(tuple(late), tuple(reset))
        stale = [name for name in names if nodes[name].stale]
        return Restart(stale[0]) if stale else Wait("the members to find each other", tuple(names))
    whole = [name for name in names if nodes[name].data]
    idle = [name for name in whole if not nodes[name].active]
    if idle:
        return Start(tuple(idle))
    stale = [name for name in whole if nodes[name].stale]
    if stale:
        return Restart(stale[0])
    lost = [name for name in names if not nodes[name].data]
    if len(whole) < quorum.quorum(len(names)):
        return Refuse(
            f"the quorum is lost: {len(whole)} of {len(names)} members still have their data",
            f"{', '.join(lost)} lost theirs, and {quorum.quorum(len(names))} members are needed to agree on anything",
            "restore a snapshot with etcdutl; coreops does not form a new, empty cluster over an old one",
        )
    return Wait("quorum", tuple(whole))


def _moved(wanted: Sequence[Member], state: Membership) -> Action | None:
    for member in wanted:
        entry = state.of_host.get(member.name)
        if entry and member.peer_url not in entry.peer_urls:
            return Refuse(
                f"member {member.name} has another address in the cluster",
                f"the cluster knows {', '.join(entry.peer_urls)}, the inventory says {member.peer_url}",
                "give the machine a new name in the inventory and run with --prune: it then joins as a new member",
            )
    return None


def _bring_back(wanted: Sequence[Member], nodes: Mapping[str, Node], state: Membership) -> Action | None:
    """Members that the cluster knows but that do not run: start those with data, take out those without."""
    started = [m.name for m in wanted if m.name in state.of_host and state.of_host[m.name].name]
    idle = [name for name in started if nodes[name].data and not nodes[name].active]
    if idle:
        return Start(tuple(idle))
    for name in started:
        if not nodes[name].data:
            return _remove(state.of_host[name], state, "it lost its data")
    for member in wanted:
        entry, node = state.of_host.get(member.name), nodes[member.name]
        if entry and not entry.name and not node.active:
            if node.data:
                return _remove(entry, state, "its first start was cut off")
            return StartLearner(member.name)
    return None


def _remove(entry: MemberInfo, state: Membership, why: str) -> Action:
    name = entry.name or ", ".join(entry.peer_urls)
    if entry.learner or quorum.may_remove(state.voters, state.healthy, entry.id):
        return RemoveMember(name, entry.id, why)
    return Refuse(
        f"member {name} cannot be removed now",
        f"{len(state.healthy & state.voters)} of {len(state.voters)} voters are healthy; without {name} the rest would "
        "have no quorum",
        "bring the other members back first",
    )


def _learner(wanted: Sequence[Member], nodes: Mapping[str, Node], state: Membership) -> Action | None:
    for member in wanted:
        entry = state.of_host.get(member.name)
        if entry and entry.learner:
            status = nodes[member.name].status
            if status and status.learner and status.leader and quorum.has_quorum(state.voters, state.healthy):
                return Promote(member.name, entry.id)
            return Wait(f"{member.name} to catch up as a learner", (member.name,))
    return None


def _repair(wanted: Sequence[Member], nodes: Mapping[str, Node], state: Membership) -> Action | None:
    """Voters that run but do not serve: a restart costs nothing and takes up repaired settings; otherwise wait."""
    down = [m.name for m in wanted if m.name in state.of_host and state.of_host[m.name].id not in state.healthy]
    for name in down:
        if nodes[name].stale:
            return Restart(name)
    return Wait("members to become healthy", tuple(down)) if down else None


def _change(wanted: Sequence[Member], nodes: Mapping[str, Node], state: Membership, prune: bool) -> Action | None:
    """Joining and pruning. etcd takes nobody in while a voter is away: the dead go before, the living afterwards."""
    dead = [entry for entry in state.strays if entry.id not in state.healthy]
    if prune and dead:
        return _remove(dead[0], state, "it is not in the inventory")
    for member in wanted:
        if member.name in state.of_host:
            continue
        node = nodes[member.name]
        if node.active or node.data or node.formed:
            return Reset(member.name, "the cluster does not know this member")
        blocked = [entry for entry in state.strays if entry.learner or entry in dead]
        if blocked:
            names = ", ".join(entry.name or entry.peer_urls[0] for entry in blocked)
            return Refuse(
                f"{member.name} cannot join now",
                f"etcd takes one learner at a time, and only while all members are up; {names} is not in the inventory "
                "and is down or a learner",
                f"run with --prune to remove {names}, or put it back into the inventory",
            )
        return AddLearner(member.name)
    if prune and state.strays:
        stray = state.strays[0]
        if stray.id == state.leader:
            to = next(state.of_host[m.name] for m in wanted)
            return MoveLeader(to.id, to.name, stray.name)
        return _remove(stray, state, "it is not in the inventory")
    return None


def _roll(wanted: Sequence[Member], nodes: Mapping[str, Node], state: Membership) -> Action | None:
    """Take up new settings, one member at a time; everybody is healthy here."""
    stale = {state.of_host[m.name].id: m.name for m in wanted if nodes[m.name].stale}
    if not stale:
        return None
    order = [id for id in quorum.restart_order(sorted(state.voters), state.healthy, state.leader) if id in stale]
    first = order[0]
    if first == state.leader and len(state.voters) > 1:
        others = [state.of_host[m.name] for m in wanted if state.of_host[m.name].id != first]
        if others:
            return MoveLeader(others[0].id, others[0].name, stale[first])
    if not quorum.may_stop(state.voters, state.healthy, first):
        return Refuse(
            f"{stale[first]} cannot be restarted now",
            f"{len(state.healthy & state.voters)} of {len(state.voters)} voters are healthy, "
            f"and {quorum.quorum(len(state.voters))} must stay",
            "bring the other members back first; --prune removes those that are not in the inventory",
        )
    return Restart(stale[first])
