"""A cluster of ``units`` in memory: a store that answers as etcd does, and nodes that do what the program on real nodes
does (``playbooks/files/units/agent.sh``; ``test_agent`` holds that against a real etcd).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from coreops.model import Record, ShellStep
from coreops.schedulers.protocol import Cluster, Host
from coreops.schedulers.units import Units

ROOT = "/coreops/units/"
FILE = "[Service]\nExecStart=/bin/sleep infinity\n"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@dataclass
class FakeStore:
    """What of etcd's API is needed. Keys are kept decoded; values as bytes."""

    revision: int = 1
    cells: dict[str, tuple[bytes, int, int]] = field(default_factory=dict)
    calls: int = 0

    def put(self, key: str, value: str) -> None:
        self.revision += 1
        self._put(key, value.encode())

    def delete(self, key: str) -> None:
        self.revision += 1
        self.cells.pop(key, None)

    def get(self, key: str) -> str | None:
        return self.cells[key][0].decode() if key in self.cells else None

    def below(self, prefix: str) -> dict[str, str]:
        return {k.removeprefix(prefix): c[0].decode() for k, c in sorted(self.cells.items()) if k.startswith(prefix)}

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """As POST /v3/PATH."""
        self.calls += 1
        if path == "kv/range":
            return self._range(body)
        assert path == "kv/txn", path
        good = all(self._holds(each) for each in body.get("compare", ()))
        branch = body.get("success" if good else "failure", ())
        assert len(branch) <= 128, "etcdserver: too many operations in txn request"
        if any("requestRange" not in each for each in branch):
            self.revision += 1
        responses = [self._do(each) for each in branch]
        answer: dict[str, Any] = {"header": {"revision": str(self.revision)}, "responses": responses}
        return answer | ({"succeeded": True} if good else {})  # the gateway leaves out what is false

    def _put(self, key: str, value: bytes) -> None:
        created = self.cells[key][1] if key in self.cells else self.revision
        self.cells[key] = (value, created, self.revision)

    def _holds(self, compare: Mapping[str, str]) -> bool:
        assert compare["target"] == "MOD"
        cell = self.cells.get(_text(compare["key"]))
        return (cell[2] if cell else 0) == int(compare["modRevision"])

    def _do(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        ((kind, body),) = operation.items()
        if kind == "requestPut":
            self._put(_text(body["key"]), base64.b64decode(body["value"]))
            return {"response_put": {}}
        if kind == "requestDeleteRange":
            self.cells.pop(_text(body["key"]), None)
            return {"response_delete_range": {}}
        return {"response_range": self._range(body)}

    def _range(self, body: Mapping[str, Any]) -> dict[str, Any]:
        start = _text(body["key"])
        end = _text(body["range_end"]) if "range_end" in body else start + "\0"
        keys = [key for key in sorted(self.cells) if start <= key < end]
        limit = int(body.get("limit", 0)) or len(keys)
        found: dict[str, Any] = {"header": {"revision": str(self.revision)}}
        pairs = []
        for key in keys[:limit]:
            value, _, mod = self.cells[key]
            pair = {"key": b64(key), "mod_revision": str(mod)}
            pairs.append(pair if body.get("keys_only") else pair | {"value": base64.b64encode(value).decode()})
        return found | ({"kvs": pairs} if pairs else {}) | ({"more": True} if len(keys) > limit else {})


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()


@dataclass
class FakeNode:
    """What the program does in one turn. running: unit -> the version that runs. stubborn: does not stop yet."""

    name: str
    store: FakeStore
    alive: bool = True
    mine: set[str] = field(default_factory=set)
    running: dict[str, str] = field(default_factory=dict)
    stubborn: set[str] = field(default_factory=set)

    def turn(self) -> None:
        if not self.alive:
            return
        want = self.store.below(f"{ROOT}on/{self.name}/")
        said = ["boot b"]
        for name, holder in self.store.below(f"{ROOT}held/").items():
            if holder == self.name:
                self.mine.add(name)
        for name in sorted(self.mine):
            if name not in want or self.running.get(name, want[name]) != want[name]:
                self._drop(name)
        for name, text in want.items():
            everywhere = text.partition("\n")[0].endswith(" everywhere")
            held = self.store.get(f"{ROOT}held/{name}")
            if held is None and not everywhere:
                self.store.put(f"{ROOT}held/{name}", self.name)
            elif held != self.name and not everywhere:
                said.append(f"unit {name} waiting for-{held} -")
                continue
            self.mine.add(name)
            if name not in self.running:
                self.running[name] = text
        for name, text in self.running.items():
            sum = hashlib.sha256(text.encode()).hexdigest()[:12] if text == want.get(name) else "-"
            active = "active running" if text.startswith("launched") else "inactive dead"
            said.append(f"unit {name} {active} {sum}")
        if self.store.get(f"{ROOT}said/{self.name}") != "\n".join(said):
            self.store.put(f"{ROOT}said/{self.name}", "\n".join(said))

    def _drop(self, name: str) -> None:
        if name in self.stubborn:
            return
        self.running.pop(name, None)
        self.mine.discard(name)
        if self.store.get(f"{ROOT}held/{name}") == self.name:
            self.store.delete(f"{ROOT}held/{name}")


class UnitsWorld:
    """Three nodes, of which two are managers."""

    node = "n2"
    other = "n3"

    def __init__(self, labels: Mapping[str, Mapping[str, str]] | None = None) -> None:
        hosts = tuple(
            Host(
                name=f"n{i}",
                address=f"10.0.0.{i}",
                role="worker" if i == 3 else "manager",
                labels=(labels or {}).get(f"n{i}", {}),
            )
            for i in (1, 2, 3)
        )
        self.cluster = Cluster(scheduler="units", hosts=hosts, store=("https://10.0.0.1:2379",))
        self.scheduler = Units(self.cluster)
        self.store = FakeStore()
        self.nodes = {host.name: FakeNode(host.name, self.store) for host in hosts}
        self._number = 0
        for name in self.nodes:
            self.store.put(f"{ROOT}machine/{name}", f"{name:0<32}")
        self.tick()

    def run(self, host: str, step: ShellStep) -> Record:
        if not self.nodes[host].alive:
            return Record(step.id, "failed", rc=75, stderr=b"no member of the store answers")
        if "CALL" not in step.env:
            return Record(step.id, "ok")
        body = step.env["BODY"] or step.blobs[0].data or b""
        answer = self.store.post(step.env["CALL"], json.loads(body))
        before = "active\ncurrent\njoined\n-- known to the store --\n" if step.id == "look" else ""
        return Record(step.id, "ok", stdout=(before + json.dumps(answer)).encode())

    def tick(self) -> None:
        for node in self.nodes.values():
            node.turn()

    def start(self, host: str, stubborn: bool = False) -> str:
        self._number += 1
        name = f"task{self._number}.service"
        self.store.put(f"{ROOT}unit/{name}", json.dumps({"v": 1, "desired": "launched", "file": FILE}))
        self.store.put(f"{ROOT}on/{host}/{name}", f"launched\n{FILE}")
        if stubborn:
            self.nodes[host].stubborn.add(name)
        self.tick()
        return name

    def let_go(self) -> None:
        for node in self.nodes.values():
            node.stubborn.clear()

    def running(self, host: str) -> int:
        return len(self.nodes[host].running)

    def open(self, host: str) -> bool:
        closed = json.loads(self.store.get(f"{ROOT}closed/{host}") or "{}")
        return self.nodes[host].alive and not closed.get("cordon") and not closed.get("drain")

    def close(self, host: str) -> None:
        self.store.put(f"{ROOT}closed/{host}", json.dumps({"cordon": "ann, as its disk is dying"}))

    def kill(self, host: str) -> None:
        self.nodes[host].alive = False
        self.nodes[host].running.clear()
        self.store.delete(f"{ROOT}said/{host}")

    def secrets(self) -> Sequence[str]:
        return ()
