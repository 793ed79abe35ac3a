"""What a fake Nomad cluster consists of, and what happens in it by itself. Time passes only in ``tick``.

When a drain ends: nomad/drainer/draining_node.go and watch_nodes.go of hashicorp/nomad v1.7.7. ``hasty`` is the older
rule by which it ended while tasks were still stopping (hashicorp/nomad#14293, fixed by #14348). What becomes of
LastDrain: nomad/state/state_store.go (updateNodeDrainImpl).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

TERMINAL = ("complete", "failed", "lost")


class Refused(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


class Conflict(Exception):
    """An answer with a document in it that is none of success."""

    def __init__(self, value: dict[str, Any], code: int = 409) -> None:
        super().__init__("conflict")
        self.value, self.code = value, code


@dataclass
class Node:
    id: str
    name: str
    status: str = "ready"
    eligible: bool = True
    strategy: dict[str, Any] | None = None
    last: dict[str, Any] | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    version: str = "1.7.7"
    meta: dict[str, str] = field(default_factory=dict)
    index: int = 0


@dataclass
class Alloc:
    id: str
    job: str
    kind: str
    node: Node
    status: str = "running"
    desired: str = "run"
    stubborn: bool = False
    namespace: str = "default"
    group: str = "main"
    version: int = 0
    tasks: dict[str, Any] | None = None
    created: int = 0
    spec: Any = None


@dataclass
class Server:
    id: str
    name: str
    status: str = "alive"
    peer: bool = True
    healthy: bool = True
    version: str = "1.7.7"


class State:
    """servers, clients: names of agents. hasty: see the module. page: the most entries an answer carries."""

    def __init__(self, servers: list[str], clients: list[str], *, hasty: bool = True, region: str = "global") -> None:
        self.region, self.hasty = region, hasty
        self.index = 10
        self.servers = [Server(str(uuid.uuid4()), name) for name in servers]
        self.leader: str | None = servers[0] if servers else None
        self.nodes = {node.id: node for node in (Node(str(uuid.uuid4()), name) for name in clients)}
        self.allocs: list[Alloc] = []
        self.variables: dict[str, dict[str, Any]] = {}
        self.keys = ["c2VjcmV0LWdvc3NpcC1rZXktb2YtdGhlLWNsdXN0ZXI="]
        self.log: list[str] = []
        self.failures: list[tuple[int, str]] = []
        self.page = 1000
        self.acl: set[str] = set()  # the agents that were started with acl.enabled
        self.tokens: list[str] = []  # their secrets
        self.about: dict[str, dict[str, Any]] = {}
        self.left_in_raft: set[str] = set()

    def set_drain(
        self, node: Node, strategy: dict[str, Any] | None, eligible: bool, meta: dict[str, str], completed: bool
    ) -> None:
        before, node.strategy = node.strategy, strategy
        if strategy is not None:
            node.eligible = False
        elif eligible:
            node.eligible = True
        if before is not None or strategy is not None:
            if before is None:
                node.last = {"StartedAt": "t", "Meta": meta}
            assert node.last is not None
            if meta:
                node.last = {**node.last, "Meta": meta}
            status = "draining" if strategy is not None else "complete" if completed else "canceled"
            node.last = {**node.last, "Status": status, "UpdatedAt": "t", "AccessorID": ""}
        node.index = self.index

    def event(self, node: Node, subsystem: str, message: str) -> None:
        node.events.append({"Message": message, "Subsystem": subsystem, "Details": {}, "CreateIndex": self.index})

    def tick(self) -> None:
        for alloc in self.allocs:
            if alloc.status == "pending":
                alloc.status = "running"
            elif alloc.status == "running" and alloc.desired == "stop" and not alloc.stubborn:
                alloc.status = "complete"
        for node in self.nodes.values():
            if node.strategy is not None:
                self._migrate(node)

    def _migrate(self, node: Node) -> None:
        """nomad/drainer: all but system work goes, then system work, and the drain is over at once."""
        mine = [each for each in self.allocs if each.node is node and each.status not in TERMINAL]
        moving = [each for each in mine if each.kind != "system"]
        for alloc in moving:
            if alloc.desired == "run":
                self._stop(alloc)
        over = all(each.desired == "stop" for each in moving) if self.hasty else not moving
        if over:
            assert node.strategy is not None
            for alloc in mine:
                if alloc.kind == "system" and not node.strategy["IgnoreSystemJobs"]:
                    alloc.desired = "stop"
            self.index += 1
            self.event(node, "Drain", "Node drain complete")
            self.set_drain(node, None, False, {}, True)

    def _stop(self, alloc: Alloc) -> None:
        alloc.desired = "stop"
        free = [each for each in self.nodes.values() if each.eligible and each.status == "ready"]
        if free:
            least = min(free, key=lambda each: sum(one.node is each for one in self.allocs))
            self.allocs.append(self.replacement(alloc, least))

    def replacement(self, alloc: Alloc, node: Node) -> Alloc:
        self.index += 1
        return Alloc(
            str(uuid.uuid4()), alloc.job, alloc.kind, node, "pending", group=alloc.group, version=alloc.version,
            created=self.index, spec=alloc.spec,
        )  # fmt: skip

    # What tests do to it

    def named(self, name: str) -> Node:
        return next(node for node in self.nodes.values() if node.name == name)

    def run(self, name: str, job: str, *, kind: str = "service", stubborn: bool = False) -> Alloc:
        self.allocs.append(Alloc(str(uuid.uuid4()), job, kind, self.named(name), stubborn=stubborn))
        return self.allocs[-1]

    def kill(self, name: str) -> None:
        for server in self.servers:
            if server.name == name:
                server.status = "failed"
        if self.leader == name:
            self.leader = next((each.name for each in self.servers if each.status == "alive"), None)
        for node in self.nodes.values():
            if node.name == name:
                node.status = "down"
                for alloc in self.allocs:
                    if alloc.node is node and alloc.status not in TERMINAL:
                        alloc.status = "lost"
