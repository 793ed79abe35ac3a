"""What Nomad says about its nodes, servers and allocations, as data. Reads JSON values; asks nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

TERMINAL = ("complete", "failed", "lost")
GONE = ("down", "disconnected")
SYSTEM = "system"
HEALTH = "/v1/operator/autopilot/health"
UNHEALTHY = 429
SERVERS = ("/v1/operator/raft/configuration", "/v1/agent/members")
INELIGIBLE_EVENT = "Node marked as ineligible for scheduling"
KEPT_EVENTS = 10
DRAIN_EVENTS = ("Node drain strategy set", "Node drain strategy updated")
BY = "coreops.by"
TOKEN = "coreops.token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A node that takes work. draining: a drain is under way. drain_meta: of that one, or of the last one."""

    id: str
    name: str
    status: str
    eligible: bool
    draining: bool = False
    drain_status: str = ""
    drain_meta: Mapping[str, str] = field(default_factory=dict)
    index: int = 0
    version: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    events: tuple[tuple[int, str], ...] = ()

    @property
    def gone(self) -> bool:
        return self.status in GONE

    @property
    def ours(self) -> bool:
        """Was the drain that is or was last asked for by coreops?"""
        return BY in self.drain_meta


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server: in raft when it has an ``id``, in the gossip when it has a ``status``."""

    name: str
    id: str = ""
    leader: bool = False
    voter: bool = False
    status: str = ""
    version: str = ""

    @property
    def alive(self) -> bool:
        return self.status == "alive"


@dataclass(frozen=True, slots=True)
class Allocation:
    """One allocation: what runs, and where."""

    id: str
    name: str
    job: str
    kind: str
    node: str
    host: str
    status: str
    desired: str

    @property
    def terminal(self) -> bool:
        return self.status in TERMINAL

    def __str__(self) -> str:
        return f"{self.name or self.id} ({self.status})"


def client(value: Mapping[str, Any]) -> Client:
    """A node of ``/v1/nodes`` or ``/v1/node/ID``."""
    drain = value.get("LastDrain") or {}
    events = value.get("Events") or ()
    attributes = value.get("Attributes") or {}
    return Client(
        id=value["ID"],
        name=value["Name"],
        status=value["Status"],
        eligible=value["SchedulingEligibility"] == "eligible",
        draining=value.get("DrainStrategy") is not None or bool(value.get("Drain")),
        drain_status=drain.get("Status") or "",
        drain_meta=drain.get("Meta") or {},
        index=value.get("ModifyIndex") or 0,
        version=value.get("Version") or attributes.get("nomad.version") or "",
        labels=value.get("Meta") or {},
        events=tuple((each.get("CreateIndex") or 0, each.get("Message") or "") for each in events),
    )


def pick(clients: Iterable[Client], word: str) -> Client | None:
    """The node that a host's name (or a node's id) means: one that is alive, else the one that changed last."""
    fits = [each for each in clients if word in (each.name, each.id)]
    return max(fits, key=lambda each: (not each.gone, each.index), default=None)


def servers(raft: Mapping[str, Any], members: Mapping[str, Any], region: str) -> tuple[Server, ...]:
    """All servers of ``/v1/operator/raft/configuration`` and ``/v1/agent/members`` of this region. One that was made
    anew has a new id under its old name: what is left in raft of the old one goes by its id.
    """
    gossip = [each for each in members.get("Members") or () if _tag(each, "region") in ("", region)]
    found: dict[str, Server] = {}
    for each in raft.get("Servers") or ():
        member: Mapping[str, Any] = next((one for one in gossip if _is(one, each)), {})
        name = member.get("Name") or each["Node"]
        if name == "(unknown)" or (not member and name in [one["Name"] for one in gossip]):
            name = each["ID"]
        name = name.removesuffix(f".{region}")
        found[each["ID"]] = Server(
            name=name, id=each["ID"], leader=bool(each["Leader"]), voter=bool(each["Voter"]), **_gossip(member)
        )
    known = {server.name for server in found.values()}
    for member in gossip:
        name = member["Name"].removesuffix(f".{region}")
        if member.get("Status") != "left" and name not in known:
            found[name] = Server(name=name, **_gossip(member))
    return tuple(found.values())


def _is(member: Mapping[str, Any], server: Mapping[str, Any]) -> bool:
    id = _tag(member, "id")
    return bool(id == server["ID"] if id else member["Name"] == server["Node"])


def _tag(member: Mapping[str, Any], name: str) -> str:
    return (member.get("Tags") or {}).get(name) or ""


def _gossip(member: Mapping[str, Any]) -> dict[str, Any]:
    return {"status": member.get("Status") or "", "version": _tag(member, "build")}


def allocation(value: Mapping[str, Any]) -> Allocation:
    """An entry of ``/v1/allocations``."""
    return Allocation(
        value["ID"],
        value.get("Name") or "",
        value["JobID"],
        value.get("JobType") or "",
        value["NodeID"],
        value.get("NodeName") or "",
        value["ClientStatus"],
        value.get("DesiredStatus") or "",
    )
