"""Engines of a swarm in memory: they answer the adapter's steps as Docker's API does, as far as the adapter asks.

What they say was seen at Docker 20.10; ``tests/lab/test_swarm.py`` holds the adapter against the real ones.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

from coreops.model import Record, ShellStep
from coreops.schedulers.protocol import Cluster, Host, Scheduler
from coreops.schedulers.swarm import make
from tests.schedulers.swarm.certificates import certificate

_SWARMS = count(1)
CLUSTER = Cluster(
    scheduler="swarm",
    hosts=tuple(
        Host(
            name=f"n{number}",
            address=f"10.0.0.{number}",
            role="manager" if number < 4 else "worker",
            zone=f"z{number % 3}",
            labels={"zone": f"z{number % 3}", "disk": "ssd"},
        )
        for number in range(1, 6)
    ),
)


class Refused(Exception):
    """An answer that says no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Swarm:
    """One swarm: what its managers agree on."""

    id: str
    spec: dict[str, Any] = field(default_factory=dict)
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    index: int = 10
    leaderless: int = 0
    rotations: int = 0

    def __post_init__(self) -> None:
        self.rotate()

    def rotate(self) -> None:
        self.rotations += 1
        self.tokens = {role: f"SWMTKN-1-{self.id}-{role.lower()}-{self.rotations}" for role in ("Worker", "Manager")}

    def version(self) -> dict[str, int]:
        self.index += 1
        return {"Index": self.index}

    def raw(self) -> dict[str, Any]:
        spec = {"Name": "default", "Orchestration": {"TaskHistoryRetentionLimit": 5}, "CAConfig": {"NodeCertExpiry": 1}}
        self.spec = {**spec, **self.spec}
        return {
            "ID": self.id,
            "Version": {"Index": self.index},
            "Spec": self.spec,
            "JoinTokens": self.tokens,
            "DefaultAddrPool": ["10.0.0.0/8"],
            "SubnetSize": 24,
            "DataPathPort": 4789,
            "RootRotationInProgress": False,
        }


@dataclass
class Engine:
    """One host's engine. state: systemd's word; local: its part in a swarm."""

    name: str
    address: str
    state: str = "inactive"
    stale: bool = False
    local: str = "inactive"
    swarm: Swarm | None = None
    node: str = ""
    starts: int = 0
    age: int = 3600


@dataclass
class Service:
    word: str
    stubborn: bool


class World:
    """The fake as the conformance suite wants it, and a few switches more for the adapter's own tests."""

    node, other = "n3", "n5"

    def __init__(self, cluster: Cluster = CLUSTER) -> None:
        self.scheduler: Scheduler = make(cluster)
        self.engines = {host.name: Engine(host.name, host.address) for host in cluster.hosts}
        self.dead: set[str] = set()
        self.services: dict[str, Service] = {}
        self.released = False
        self.clock = 1_700_000_000
        self.conflicts = 0
        self.steps: list[ShellStep] = []
        self.log: list[tuple[str, str, str]] = []
        self._ids = count(1)

    # Steps

    def run(self, host: str, step: ShellStep) -> Record:
        self.steps.append(step)
        assert host not in self.dead
        engine = self.engines[host]
        match step.id:
            case "swarm-look":
                return Record(step.id, "ok", stdout=self._look(engine).encode())
            case "swarm-engine":
                engine.state, engine.stale, engine.age = "active", False, 0
                engine.starts += 1
                if step.env["VERB"] == "revive":
                    self.entry(host)["Status"]["State"] = "ready"
                return Record(step.id, "changed")
            case "swarm-get":
                answers = [self._answer(engine, "GET", path, None) for path in step.env["PATHS"].splitlines()]
            case "swarm-do":
                body = json.loads(step.env["BODY"]) if step.env["BODY"] else None
                answers = [self._answer(engine, step.env["METHOD"], step.env["PATHS"], body)]
            case _:
                raise AssertionError(step.id)
        if engine.state != "active":
            return Record(step.id, "failed", rc=2, stderr=b"curl: (7) Couldn't connect to server")
        text = "".join(f"{body}\n\n= {status}\n" for status, body in answers)
        return Record(step.id, "ok" if step.act is None else "changed", stdout=text.encode())

    def _look(self, engine: Engine) -> str:
        head = f"engine {engine.state}\nage {engine.age}\nnow {self.clock}\n" + ("stale yes\n" if engine.stale else "")
        parts = []
        if engine.swarm:
            parts.append(("certificate", (200, certificate(engine.swarm.id))))
        if engine.state != "active":
            return head + "=\n" + "".join(f"{body}\n\n= {name} {status}\n" for name, (status, body) in parts)
        parts.append(("info", self._answer(engine, "GET", "/info", None)))
        running = [task for task in self._tasks(engine) if task["Status"]["State"] == "running"]
        parts.append(("tasks", (200, json.dumps(running))))
        if self._manages(engine):
            parts += [(name, self._answer(engine, "GET", f"/{name}", None)) for name in ("nodes", "swarm")]
        return head + "=\n" + "".join(f"{body}\n\n= {name} {status}\n" for name, (status, body) in parts)

    def _answer(self, engine: Engine, method: str, path: str, body: Any) -> tuple[int, str]:
        if method != "GET":
            self.log.append((engine.name, method, path))
        try:
            return 200, json.dumps(self._do(engine, method, path, body))
        except Refused as refused:
            return refused.status, json.dumps({"message": str(refused)})

    # The engine's API

    def _do(self, engine: Engine, method: str, path: str, body: Any) -> Any:
        url = urlsplit(path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        match [method, *url.path.strip("/").split("/")]:
            case ["GET", "info"]:
                return {"ServerVersion": "20.10.24", "Swarm": self._info(engine)}
            case ["POST", "swarm", "init"]:
                if engine.swarm:
                    raise Refused(503, 'This node is already part of a swarm. Use "docker swarm leave" to leave it.')
                self.join(Swarm(f"swarm{next(_SWARMS)}", spec=dict(body["Spec"])), engine.name, "manager", leader=True)
                return engine.node
            case ["POST", "swarm", "join"]:
                return self._join(engine, body)
            case ["POST", "swarm", "leave"]:
                engine.swarm, engine.local, engine.node = None, "inactive", ""
                return None
        swarm = self._ruled(engine)
        match [method, *url.path.strip("/").split("/")]:
            case ["GET", "nodes"]:
                return list(swarm.nodes.values())
            case ["GET", "nodes", id]:
                return self._found(swarm, id)
            case ["GET", "tasks"]:
                wanted = json.loads(query.get("filters", "{}")).get("node")
                return [task for task in swarm.tasks.values() if wanted is None or task["NodeID"] in wanted]
            case ["GET", "services"]:
                return [{"ID": id, "Spec": {"Name": each.word}} for id, each in self.services.items()]
            case ["GET", "swarm"]:
                return swarm.raw()
            case ["POST", "swarm", "update"]:
                self._in_sequence(int(query["version"]), swarm.index)
                swarm.spec = dict(body)
                if query.get("rotateWorkerToken") == "true" and query.get("rotateManagerToken") == "true":
                    swarm.rotate()
                swarm.version()
                return None
            case ["POST", "nodes", id, "update"]:
                node = self._found(swarm, id)
                self._in_sequence(int(query["version"]), node["Version"]["Index"])
                self._set(swarm, node, body)
                return None
            case ["DELETE", "nodes", id]:
                node = self._found(swarm, id)
                if "ManagerStatus" in node:
                    raise Refused(
                        400, f"rpc error: code = FailedPrecondition desc = node {id} is a cluster manager and"
                    )
                if node["Status"]["State"] == "ready" and query.get("force") != "true":
                    raise Refused(400, f"rpc error: code = FailedPrecondition desc = node {id} is not down and")
                del swarm.nodes[id]
                return None
        raise AssertionError(f"{method} {path}")

    def _info(self, engine: Engine) -> dict[str, Any]:
        swarm = engine.swarm
        if swarm is None:
            return {"LocalNodeState": engine.local, "NodeID": "", "ControlAvailable": False, "RemoteManagers": None}
        managers = [node["ManagerStatus"]["Addr"] for node in swarm.nodes.values() if "ManagerStatus" in node]
        told = {"LocalNodeState": engine.local, "NodeID": engine.node, "ControlAvailable": self._manages(engine)}
        told["RemoteManagers"] = [{"NodeID": "x", "Addr": each} for each in managers]
        return told | ({"Cluster": {"ID": swarm.id}} if self._manages(engine) else {})

    def _ruled(self, engine: Engine) -> Swarm:
        if engine.swarm is None or not self._manages(engine):
            raise Refused(503, 'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to')
        if engine.swarm.leaderless:
            engine.swarm.leaderless -= 1
            raise Refused(500, "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that")
        return engine.swarm

    def _in_sequence(self, given: int, have: int) -> None:
        if self.conflicts or given != have:
            self.conflicts = max(0, self.conflicts - 1)
            raise Refused(500, "rpc error: code = Unknown desc = update out of sequence")

    def _join(self, engine: Engine, body: Any) -> None:
        if engine.swarm:
            raise Refused(503, "This node is already part of a swarm.")
        for other in self.engines.values():
            place = f"{other.address}:2377"
            if other.swarm and self._manages(other) and place in body["RemoteAddrs"]:
                for role, token in other.swarm.tokens.items():
                    if token == body["JoinToken"]:
                        self.join(other.swarm, engine.name, role.lower())
                        return
                raise Refused(400, "invalid join token")
        raise Refused(500, "rpc error: code = Unavailable desc = connection error")

    def _set(self, swarm: Swarm, node: dict[str, Any], spec: dict[str, Any]) -> None:
        node["Spec"], node["Version"] = spec, swarm.version()
        if spec["Role"] == "manager" and "ManagerStatus" not in node:
            node["ManagerStatus"] = {"Reachability": "reachable", "Addr": f"{node['Status']['Addr']}:2377"}
        if spec["Role"] == "worker":
            node.pop("ManagerStatus", None)

    def _found(self, swarm: Swarm, id: str) -> dict[str, Any]:
        if id not in swarm.nodes:
            raise Refused(404, f"node {id} not found")
        return swarm.nodes[id]

    def _manages(self, engine: Engine) -> bool:
        return engine.swarm is not None and "ManagerStatus" in engine.swarm.nodes.get(engine.node, {})

    # Switches

    def join(self, swarm: Swarm, host: str, role: str, *, leader: bool = False) -> None:
        """A node more."""
        engine, id = self.engines[host], f"id{next(self._ids)}"
        engine.swarm, engine.node, engine.local, engine.state = swarm, id, "active", "active"
        swarm.nodes[id] = {
            "ID": id,
            "Version": swarm.version(),
            "Spec": {"Labels": {}, "Role": role, "Availability": "active"},
            "Description": {"Hostname": host, "Engine": {"EngineVersion": "20.10.24"}},
            "Status": {"State": "ready", "Addr": engine.address},
        }
        if role == "manager":
            place = {"Reachability": "reachable", "Addr": f"{engine.address}:2377"}
            swarm.nodes[id]["ManagerStatus"] = {"Leader": True, **place} if leader else place

    def boot(self) -> World:
        """Joined and well, by the adapter itself."""
        from tests.schedulers.swarm.driving import settle

        settle(self)
        self.steps.clear()
        self.log.clear()
        return self

    def entry(self, host: str) -> dict[str, Any]:
        """The host's node, as the swarm has it."""
        swarm = self.engines[host].swarm
        assert swarm is not None
        return swarm.nodes[self.engines[host].node]

    @property
    def swarm(self) -> Swarm:
        return next(engine.swarm for engine in self.engines.values() if engine.swarm)

    def wipe(self, host: str) -> None:
        """Its disk is new; the swarm has noticed."""
        node = self.entry(host)
        node["Status"]["State"] = "down"
        if "ManagerStatus" in node:
            node["ManagerStatus"]["Reachability"] = "unreachable"
            self._elect(node)
        engine = self.engines[host]
        engine.swarm, engine.local, engine.node = None, "inactive", ""

    def stick(self, host: str, down: int, age: int = 3600) -> None:
        """Its agent is heard, and it has been called down for so many seconds all the same."""
        self.engines[host].age, node = age, self.entry(host)
        node["UpdatedAt"] = datetime.fromtimestamp(self.clock - down, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000001Z")
        node["Status"]["State"] = "down"

    def _elect(self, gone: dict[str, Any]) -> None:
        if gone["ManagerStatus"].pop("Leader", False):
            others = [
                n for n in self.swarm.nodes.values() if n.get("ManagerStatus", {}).get("Reachability") == "reachable"
            ]
            others[0]["ManagerStatus"]["Leader"] = True

    def _tasks(self, engine: Engine) -> list[dict[str, Any]]:
        tasks = engine.swarm.tasks.values() if engine.swarm else ()
        return [task for task in tasks if task["NodeID"] == engine.node]

    # What the suite asks for

    def tick(self) -> None:
        swarm = self.swarm
        for id, node in swarm.nodes.items():
            for task in [task for task in swarm.tasks.values() if task["NodeID"] == id]:
                if task["DesiredState"] == "shutdown" and task["Status"]["State"] == "running":
                    if self.released or not self.services[task["ServiceID"]].stubborn:
                        task["Status"]["State"] = "shutdown"
                elif task["DesiredState"] == "running" and node["Spec"]["Availability"] == "drain":
                    task["DesiredState"] = "shutdown"
                    self._place(task["ServiceID"])

    def _place(self, service: str, node: str = "") -> None:
        able = [
            id
            for id, each in self.swarm.nodes.items()
            if each["Spec"]["Availability"] == "active" and each["Status"]["State"] == "ready"
        ]
        id = f"task{next(self._ids)}"
        self.swarm.tasks[id] = {
            "ID": id,
            "ServiceID": service,
            "NodeID": node or (able[-1] if able else ""),
            "Slot": 1,
            "DesiredState": "running",
            "Status": {"State": "running" if node or able else "pending"},
        }

    def start(self, host: str, stubborn: bool = False) -> str:
        id = f"service{next(self._ids)}"
        self.services[id] = Service(f"word-{id}", stubborn)
        self.released = False
        self._place(id, self.engines[host].node)
        return self.services[id].word

    def let_go(self) -> None:
        self.released = True
        self.tick()

    def running(self, host: str) -> int:
        if host in self.dead:
            return 0
        return sum(task["Status"]["State"] == "running" for task in self._tasks(self.engines[host]))

    def open(self, host: str) -> bool:
        return host not in self.dead and self.entry(host)["Spec"]["Availability"] == "active"

    def close(self, host: str) -> None:
        node = self.entry(host)
        self._set(self.swarm, node, {**node["Spec"], "Availability": "pause"})

    def kill(self, host: str) -> None:
        node = self.entry(host)
        node["Status"]["State"] = "down"
        if "ManagerStatus" in node:
            node["ManagerStatus"]["Reachability"] = "unreachable"
            self._elect(node)
        self.dead.add(host)

    def secrets(self) -> Sequence[str]:
        return [token for engine in self.engines.values() if engine.swarm for token in engine.swarm.tokens.values()]
