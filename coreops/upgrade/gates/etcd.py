"""The store as one of its members sees it: what to ask on the node, and the answers as a StoreView. Pure.

Fails closed: when etcd does not answer, the voters are those the inventory wants, and none of them is healthy.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from coreops.store import etcdctl, gateway
from coreops.store.cluster import Member
from coreops.store.etcdctl import MemberInfo, Status
from coreops.store.gateway import Request
from coreops.upgrade.observation import StoreView

BEHIND = 500
"""Entries that a member may be behind its leader and still counts as caught up: answers are not of one moment."""

ANSWER = 2.0
"""Seconds that a member may take for one answer."""


_QUESTIONS = {
    "members": ("member", "list"),
    "status": ("endpoint", "status", "--cluster"),
    "health": ("endpoint", "health", "--cluster"),
}
_SCRIPT = Path(__file__).with_name("etcd.sh")


@dataclass(frozen=True, slots=True)
class Store:
    """view, and what is wrong with the asked node's own member ("" when nothing is)."""

    view: StoreView
    wrong: str = ""


def script(node: str, members: Sequence[Member], beside: str = "", answer: float = ANSWER) -> str:
    """Three questions to the whole cluster: through its JSON gateway, else with etcdctl. beside: sh to run while they
    are on their way.
    """
    known = sorted(members, key=lambda member: member.name != node)  # the node's own member first
    parts = [
        f"wanted={len(known)}\n",
        gateway.script(_requests(known), ceil(answer)),
        _by_etcdctl(node, known, ceil(answer)),
        _SCRIPT.read_text(encoding="utf-8"),
        f"store_says | {{\n{{\n{beside}\n}} </dev/null\ncat\n}}\n" if beside else "store_says\n",
    ]
    return "".join(parts)


def _requests(members: Sequence[Member]) -> list[Request]:
    """The member list, and of each member what it says of itself. Keys with a number: one answer each."""
    asked = [Request("members", members[0].client_url + gateway.MEMBERS, '{"linearizable":true}')] if members else []
    for number, member in enumerate(members, 1):
        asked.append(Request(f"status.{number}", member.client_url + gateway.STATUS, "{}"))
        asked.append(Request(f"health.{number}", member.client_url + gateway.HEALTH))
    return asked


def _by_etcdctl(node: str, members: Sequence[Member], seconds: int) -> str:
    """Through the node's own member or any other that answers; all at once, as one that does not answer holds up each
    of them.
    """
    own = [f"https://127.0.0.1:{member.client_port}" for member in members if member.name == node]
    endpoints = [*own, *(member.client_url for member in members if member.name != node)]
    asked = [
        f'{etcdctl.line("-w", "json", *words, endpoints=endpoints, timeout=seconds)} >"$answers/{key}" &'
        for key, words in _QUESTIONS.items()
    ]
    told = f'for key in {" ".join(_QUESTIONS)}; do printf \'%s %s\n\' "$key" "$(cat "$answers/$key")"; done'
    place = ["answers=$(mktemp -d) || exit 2", "trap 'rm -rf \"$answers\"' EXIT"]
    return "\n".join(["by_etcdctl() {", *place, *asked, "wait", told, "}", ""])


def read(node: str, members: Sequence[Member], answers: Mapping[str, str]) -> Store:
    """Read what ``script`` printed."""
    try:
        entries = etcdctl.parse_members(answers.get("members", ""))
        statuses, serving = _each(answers) if "status" not in answers else _all(answers, entries)
    except (ValueError, KeyError, TypeError):
        return Store(StoreView(voters=frozenset(member.name for member in members)), "etcd does not answer")
    names = {entry.id: host_of(entry, members) for entry in entries}
    voters = [entry for entry in entries if not entry.learner]
    leader = _leader([statuses[entry.id].leader for entry in voters if entry.id in statuses], len(voters))
    wrong = {names[entry.id]: _wrong(entry, statuses, serving, leader) for entry in voters}
    learners = {names[entry.id]: "its member of etcd is a learner" for entry in entries if entry.learner}
    view = StoreView(
        voters=frozenset(wrong),
        healthy=frozenset(name for name, why in wrong.items() if not why),
        leader=names.get(leader) if leader else None,
    )
    return Store(view, {**wrong, **learners}.get(node, "the cluster does not know its member of etcd"))


def _each(answers: Mapping[str, str]) -> tuple[dict[int, Status], set[int]]:
    """What every member said of itself: by member id, and who of them serves."""
    statuses: dict[int, Status] = {}
    serving: set[int] = set()
    for key, said in answers.items():
        if key.startswith("status."):
            status = gateway.parse_status(said)
            statuses[status.member_id] = status
            if gateway.parse_health(answers.get(key.replace("status", "health"), "{}")):
                serving.add(status.member_id)
    return statuses, serving


def _all(answers: Mapping[str, str], entries: Sequence[MemberInfo]) -> tuple[dict[int, Status], set[int]]:
    """The same, as etcdctl collected it."""
    statuses = {status.member_id: status for status in etcdctl.parse_statuses(answers["status"] or "[]")}
    health = etcdctl.parse_health(answers.get("health") or "[]")
    return statuses, {entry.id for entry in entries if any(health.get(url) for url in entry.client_urls)}


def host_of(entry: MemberInfo, members: Sequence[Member]) -> str:
    """The host that a member of the cluster runs on, or a name for one that the inventory does not know."""
    for member in members:
        if entry.name == member.name or (not entry.name and member.peer_url in entry.peer_urls):
            return member.name
    return f"member:{entry.id:x}"


def _leader(named: Sequence[int], voters: int) -> int:
    """Whom more than half of the voters follow; 0: nobody. A leader that was cut off still takes itself for one."""
    return next((leader for leader in named if 2 * named.count(leader) > voters), 0)


def _wrong(entry: MemberInfo, statuses: Mapping[int, Status], serving: Collection[int], leader: int) -> str:
    status = statuses.get(entry.id)
    if status is None:
        return "its member of etcd does not answer"
    if status.errors:
        return f"its member of etcd says {status.errors[0]:.120}"
    if entry.id not in serving:
        return "its member of etcd is not healthy"
    if not leader or status.leader != leader:
        return "its member of etcd follows no leader, or another one"
    behind = max(each.raft_index for each in statuses.values()) - status.raft_applied
    return f"its member of etcd is {behind} entries behind" if behind > BEHIND else ""
