"""The store as one of its members sees it: what to ask on the node, and the answers as a StoreView. Pure.

Fails closed: when etcd does not answer, the voters are those the inventory wants, and none of them is healthy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from coreops.store import etcdctl
from coreops.store.cluster import Member
from coreops.store.etcdctl import MemberInfo, Status
from coreops.upgrade.observation import StoreView

BEHIND = 500
"""Entries that a member may be behind its leader and still counts as caught up: answers are not of one moment."""


_QUESTIONS = {
    "members": ("member", "list"),
    "status": ("endpoint", "status", "--cluster"),
    "health": ("endpoint", "health", "--cluster"),
}


@dataclass(frozen=True, slots=True)
class Store:
    """view, and what is wrong with the asked node's own member ("" when nothing is)."""

    view: StoreView
    wrong: str = ""


def script(node: str, members: Sequence[Member], beside: str = "") -> str:
    """Three questions to the whole cluster, through the node's own member or any other that answers; all at once, as
    one that does not answer holds up each of them. beside: sh to run while they are on their way.
    """
    own = [f"https://127.0.0.1:{member.client_port}" for member in members if member.name == node]
    endpoints = [*own, *(member.client_url for member in members if member.name != node)]
    asked = [
        f'{etcdctl.line("-w", "json", *words, endpoints=endpoints, timeout=2)} >"$answers/{key}" &'
        for key, words in _QUESTIONS.items()
    ]
    told = f'for key in {" ".join(_QUESTIONS)}; do printf \'%s %s\\n\' "$key" "$(cat "$answers/$key")"; done'
    place = ["answers=$(mktemp -d) || exit 2", "trap 'rm -rf \"$answers\"' EXIT"]
    return "\n".join([*place, *asked, beside, "wait", told, ""])


def read(node: str, members: Sequence[Member], answers: Mapping[str, str]) -> Store:
    """Read what ``script`` printed."""
    try:
        entries = etcdctl.parse_members(answers.get("members", ""))
        statuses = {status.member_id: status for status in etcdctl.parse_statuses(answers.get("status") or "[]")}
        health = etcdctl.parse_health(answers.get("health") or "[]")
    except (ValueError, KeyError, TypeError):
        return Store(StoreView(voters=frozenset(member.name for member in members)), "etcd does not answer")
    names = {entry.id: host_of(entry, members) for entry in entries}
    voters = [entry for entry in entries if not entry.learner]
    leader = _leader([statuses[entry.id].leader for entry in voters if entry.id in statuses], len(voters))
    wrong = {names[entry.id]: _wrong(entry, statuses, health, leader) for entry in voters}
    learners = {names[entry.id]: "its member of etcd is a learner" for entry in entries if entry.learner}
    view = StoreView(
        voters=frozenset(wrong),
        healthy=frozenset(name for name, why in wrong.items() if not why),
        leader=names.get(leader) if leader else None,
    )
    return Store(view, {**wrong, **learners}.get(node, "the cluster does not know its member of etcd"))


def host_of(entry: MemberInfo, members: Sequence[Member]) -> str:
    """The host that a member of the cluster runs on, or a name for one that the inventory does not know."""
    for member in members:
        if entry.name == member.name or (not entry.name and member.peer_url in entry.peer_urls):
            return member.name
    return f"member:{entry.id:x}"


def _leader(named: Sequence[int], voters: int) -> int:
    """Whom more than half of the voters follow; 0: nobody. A leader that was cut off still takes itself for one."""
    return next((leader for leader in named if 2 * named.count(leader) > voters), 0)


def _wrong(entry: MemberInfo, statuses: Mapping[int, Status], health: Mapping[str, bool], leader: int) -> str:
    status = statuses.get(entry.id)
    if status is None:
        return "its member of etcd does not answer"
    if status.errors:
        return f"its member of etcd says {status.errors[0]:.120}"
    if not any(health.get(url) for url in entry.client_urls):
        return "its member of etcd is not healthy"
    if not leader or status.leader != leader:
        return "its member of etcd follows no leader, or another one"
    behind = max(each.raft_index for each in statuses.values()) - status.raft_applied
    return f"its member of etcd is {behind} entries behind" if behind > BEHIND else ""
