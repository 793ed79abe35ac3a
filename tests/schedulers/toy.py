"""A small scheduler in memory, and an adapter to it: proves the conformance suite, and stands in for a real one in the
tests of what all schedulers share. Its nodes have an availability (active, pause, drain), labels, and a version that
every write must name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from coreops.errors import HostFailed, InputError, RefusedError
from coreops.model import Record, ShellStep
from coreops.schedulers.protocol import (
    Artifact,
    Cluster,
    Elsewhere,
    Fenced,
    Host,
    Mark,
    Move,
    Node,
    Pause,
    SecretKind,
    Seen,
    Settled,
    Talk,
    Workload,
    ask,
    do,
)
from coreops.store.pki import Leaf

SECRET = "s3cret-t0ken"
CONFLICT, AWAY = 9, 7


@dataclass(frozen=True)
class Machine:
    """One node, as the engine knows it."""

    role: str
    availability: str = "active"
    labels: Mapping[str, str] = field(default_factory=dict)
    version: int = 1
    alive: bool = True


@dataclass
class Task:
    id: str
    host: str
    stubborn: bool = False
    told: bool = False


class Engine:
    """The scheduler itself: it answers on its managers, and moves work when time passes."""

    def __init__(self, roles: Mapping[str, str], joined: bool = True) -> None:
        self.roles = dict(roles)
        self.nodes = {host: Machine(role) for host, role in roles.items()} if joined else {}
        self.tasks: list[Task] = []
        self.down: set[str] = set()
        self.said: list[tuple[str, str]] = []

    def run(self, host: str, step: ShellStep) -> Record:
        wish: dict[str, Any] = json.loads(step.env["TOY"])
        self.said.append((host, wish["op"]))
        rc, answer = getattr(self, f"_{wish.pop('op')}")(host, **wish)
        state = "failed" if rc else "ok"
        text = json.dumps(answer).encode()
        return Record(step.id, state, rc, b"" if rc else text, text if rc else b"")  # type: ignore[arg-type]

    def tick(self) -> None:
        for task in [each for each in self.tasks if each.told and not each.stubborn]:
            self.tasks.remove(task)
            to = next((host for host in self.nodes if host != task.host and self.open(host)), None)
            if to is not None:
                self.tasks.append(replace(task, host=to, told=False))

    def open(self, host: str) -> bool:
        node = self.nodes.get(host)
        return node is not None and node.alive and node.availability == "active"

    def _look(self, host: str) -> tuple[int, Any]:
        return 0, {"cluster": "toy-1" if host in self.nodes else "", "version": "1.0"}

    def _join(self, host: str) -> tuple[int, Any]:
        self.nodes.setdefault(host, Machine(self.roles[host]))
        return 0, {}

    def _list(self, host: str) -> tuple[int, Any]:
        if not self._answers(host):
            return AWAY, "the agent is no manager"
        nodes = {
            name: {"role": n.role, "availability": n.availability, "labels": dict(n.labels), "version": n.version,
                   "state": "ready" if n.alive else "down"}
            for name, n in self.nodes.items()
        }  # fmt: skip
        tasks = [{"id": each.id, "host": each.host, "state": "running", "told": each.told} for each in self.tasks]
        return 0, {"nodes": nodes, "tasks": tasks}

    def _write(
        self, host: str, name: str, version: int, availability: str, labels: Mapping[str, str]
    ) -> tuple[int, Any]:
        if not self._answers(host):
            return AWAY, "the agent is no manager"
        if name not in self.nodes or self.nodes[name].version != version:
            return CONFLICT, "update out of sequence"
        self.nodes[name] = replace(
            self.nodes[name], availability=availability, labels=dict(labels), version=version + 1
        )
        for task in self.tasks if availability == "drain" else ():
            task.told = task.told or task.host == name
        return 0, {}

    def _kill(self, host: str, name: str) -> tuple[int, Any]:
        self.tasks = [each for each in self.tasks if each.host != name]
        return 0, {}

    def _remove(self, host: str, name: str) -> tuple[int, Any]:
        return (0, {}) if self.nodes.pop(name, None) else (1, "no such node")

    def _answers(self, host: str) -> bool:
        return host in self.nodes and self.nodes[host].role == "manager" and host not in self.down


class ToyWorld:
    """Three managers and two workers, with an adapter of one's choice."""

    node, other = "w1", "w2"

    def __init__(self, adapter: Callable[[Cluster], Toy] | None = None, joined: bool = True) -> None:
        roles = {"m1": "manager", "m2": "manager", "m3": "manager", "w1": "worker", "w2": "worker"}
        self.engine = Engine(roles, joined)
        hosts = tuple(Host(name=name, address=name, role=role) for name, role in roles.items())  # type: ignore[arg-type]
        self.scheduler = (adapter or Toy)(Cluster(scheduler="toy", hosts=hosts))

    def run(self, host: str, step: ShellStep) -> Record:
        return self.engine.run(host, step)

    def tick(self) -> None:
        self.engine.tick()

    def start(self, host: str, stubborn: bool = False) -> str:
        task = Task(f"web.{len(self.engine.tasks) + 1}", host, stubborn)
        self.engine.tasks.append(task)
        return task.id

    def let_go(self) -> None:
        for task in self.engine.tasks:
            task.stubborn = False

    def running(self, host: str) -> int:
        return sum(task.host == host for task in self.engine.tasks)

    def open(self, host: str) -> bool:
        return self.engine.open(host)

    def close(self, host: str) -> None:
        self.engine.nodes[host] = replace(self.engine.nodes[host], availability="pause")

    def kill(self, host: str) -> None:
        self.engine.nodes[host] = replace(self.engine.nodes[host], alive=False)
        self.engine.tasks = [each for each in self.engine.tasks if each.host != host]

    def secrets(self) -> Sequence[str]:
        return (SECRET,)


def make(cluster: Cluster) -> Toy:
    """As an adapter's package has it."""
    if len(cluster.managers) % 2 == 0:
        host = cluster.hosts[-1].name
        raise InputError("an even number of managers", where=cluster.origin(host, "scheduler_role"))
    return Toy(cluster)


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise ValueError(f"it must be a number, found {value!r}")
    return value


VARIABLES: Mapping[str, Callable[[object], Any]] = {"toy_size": _number, "toy_word": str}

BY_OPERATOR, BEFORE, TOKEN = "coreops.operator", "coreops.before", "coreops.token"


class Toy:
    """The adapter. Labels: an operator's cordon; what the availability was before an upgrade; the highest token."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def artifacts(self) -> Mapping[str, Artifact]:
        return {}

    def playbook(self) -> str:
        return ""

    def secrets(self) -> Mapping[str, SecretKind]:
        return {"toy.token": "hex"}

    def certificates(self) -> Sequence[Leaf]:
        return ()

    def variables(self, archives: Mapping[str, str], pki: str) -> Mapping[str, Any]:
        return {"toy_pki": pki}

    def look(self, host: str) -> Talk[Seen]:
        found = yield from self._do("look")
        return Seen(host=host, **found)

    def decide(self, seen: Mapping[str, Seen]) -> Move | Settled:
        away = [host for host, each in seen.items() if not each.cluster]
        if not away:
            return Settled()
        return Move(title=f"join {', '.join(away)}", talks=dict.fromkeys(away, self._join))

    def rotate(self) -> Talk[tuple[str, ...]]:
        yield from self._do("list")
        return ("the join token",)

    def where(self, host: str) -> tuple[str, ...]:
        return tuple(each.name for each in self.cluster.managers if each.name != host)

    def nodes(self) -> Talk[tuple[Node, ...]]:
        found = yield from self._do("list")
        return tuple(
            Node(
                name=f"id-{name}",
                host=name if name in self.cluster.names else "",
                role=node["role"],
                state=node["state"],
                cordoned=by(node),
                drained=node["availability"] == "drain",
                leader=name == "m1",
            )
            for name, node in found["nodes"].items()
        )

    def workloads(self) -> Talk[tuple[Workload, ...]]:
        found = yield from self._do("list")
        return tuple(
            Workload(service="web", task=each["id"], host=each["host"], state=each["state"]) for each in found["tasks"]
        )

    def cordon(self, host: str, mark: Mark) -> Talk[None]:
        yield from self._change(host, mark, "pause")

    def drain(self, host: str, mark: Mark) -> Talk[None]:
        yield from self._change(host, mark, "drain")
        while left := (yield from self.drained(host)):
            yield Pause(left)

    def drained(self, host: str) -> Talk[tuple[str, ...]]:
        found = yield from self._do("list")
        host = host.removeprefix("id-")
        return tuple(f"{each['id']} (running)" for each in found["tasks"] if each["host"] == host)

    def uncordon(self, host: str, mark: Mark) -> Talk[None]:
        yield from self._change(host, mark, "active")

    def remove(self, host: str) -> Talk[None]:
        found = yield from self._do("list")
        node = found["nodes"].get(host)
        if node is None:
            return
        if node["state"] == "ready":
            raise RefusedError(f"{host} still runs", next="stop it first")
        yield from self._do("remove", name=host)

    def _change(self, host: str, mark: Mark, availability: str) -> Talk[None]:
        while True:
            found = yield from self._do("list")
            host = host.removeprefix("id-")
            node = found["nodes"][host]
            if mark.by == "upgrade" and mark.token < int(node["labels"].get(TOKEN, 0)):
                raise Fenced(f"a newer controller has been at {host}")
            wanted = self._wanted(node, mark, availability)
            if wanted == (node["availability"], node["labels"]):
                return
            written = yield from self._write(host, node["version"], *wanted)
            if written:
                return

    def _write(self, host: str, version: int, availability: str, labels: Mapping[str, str]) -> Talk[bool]:
        wish = {"name": host, "version": version, "availability": availability, "labels": labels}
        record = yield from ask(self._step("write", **wish))
        if record.rc not in (0, CONFLICT):
            raise HostFailed("the node cannot be changed", why=record.stderr.decode())
        return record.rc == 0

    def _wanted(self, node: Mapping[str, Any], mark: Mark, wanted: str) -> tuple[str, dict[str, str]]:
        """The availability and the labels to write. Pure."""
        now, labels = node["availability"], dict(node["labels"])
        if mark.by == "upgrade":
            labels[TOKEN] = str(mark.token)
        if wanted == "active":
            before = labels.pop(BEFORE, now)
            if mark.by == "operator":
                labels.pop(BY_OPERATOR, None)
                return "active", labels
            return ("pause" if before == "active" and BY_OPERATOR in labels else before), labels
        if now == "drain" or (now == "pause" and wanted == "pause"):
            wanted = now
        elif mark.by == "upgrade":
            labels.setdefault(BEFORE, now)
        if mark.by == "operator":
            labels[BY_OPERATOR] = "yes"
        return wanted, labels

    def _join(self) -> Talk[None]:
        yield from self._do("join")

    def _do(self, op: str, **wish: Any) -> Talk[Any]:
        step = self._step(op, **wish)
        record = yield from ask(step)
        if record.rc == AWAY:
            raise Elsewhere("the agent does not answer", why=record.stderr.decode())
        if record.state == "failed":
            yield from do(step)
        return json.loads(record.stdout)

    def _step(self, op: str, **wish: Any) -> ShellStep:
        return ShellStep(
            id=f"toy-{op}",
            title=f"{op} toy",
            act="toy",
            env={"TOY": json.dumps({"op": op, **wish}), "TOKEN": SECRET},
            changes=False,
        )


def by(node: Mapping[str, Any]) -> Any:
    """Who cordoned a node."""
    if node["availability"] == "active":
        return ""
    if BY_OPERATOR in node["labels"]:
        return "operator"
    return "upgrade" if node["labels"].get(BEFORE) == "active" else "other"
