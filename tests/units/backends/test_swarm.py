"""``coreops units`` on Swarm, against an engine in memory that knows services and tasks. What it answers was seen at
Docker 20.10.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from coreops.errors import InputError, RefusedError
from coreops.model import Record, ShellStep
from coreops.schedulers.protocol import Cluster, Host
from coreops.schedulers.swarm import make
from coreops.units.backends.protocol import settled
from coreops.units.backends.swarm import Swarm
from coreops.units.convert.convert import convert
from coreops.units.loading import Loaded
from tests.schedulers.worlds import Ended, hold, must
from tests.units.texts import WEB, run, unit

HOSTS = ("n1",)
NAMES = ("web@1.service", "web@2.service", "web@3.service")


class Engine:
    """A manager of three nodes. Tasks follow their service within a tick."""

    node, other = "n2", "n3"

    def __init__(self) -> None:
        hosts = tuple(Host(name=f"n{i}", address=f"10.0.0.{i}", role="manager") for i in (1, 2, 3))
        self.scheduler: Any = make(Cluster(scheduler="swarm", hosts=hosts))
        self.services: dict[str, dict[str, Any]] = {}
        self.tasks: list[dict[str, Any]] = []
        self.index = 1
        self.conflicts = 0

    def run(self, host: str, step: ShellStep) -> Record:
        body = json.loads(step.env["BODY"]) if step.env["BODY"] else None
        out = ""
        for path in step.env["PATHS"].splitlines():
            status, data = self.answer(step.env["METHOD"], path, body)
            out += ("" if data is None else json.dumps(data)) + f"\n= {status}\n"
        return Record(step.id, "ok", stdout=out.encode())

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        where = urlsplit(path)
        filters = json.loads(parse_qs(where.query).get("filters", ["{}"])[0])
        parts = where.path.strip("/").split("/")
        if where.path == "/nodes":
            return 200, [
                {
                    "ID": f"id{i}",
                    "Version": {"Index": 1},
                    "Spec": {"Role": "manager", "Availability": "active", "Labels": {"coreops.host": f"n{i}"}},
                    "Description": {"Hostname": f"n{i}"},
                    "Status": {"State": "ready", "Addr": f"10.0.0.{i}"},
                }
                for i in (1, 2, 3)
            ]
        if where.path == "/tasks":
            return 200, self.tasks
        if method == "GET":
            found = [
                each
                for each in self.services.values()
                if all(label in each["Spec"].get("Labels", {}) for label in filters.get("label", ()))
                and all(each["Spec"]["Name"].startswith(name) for name in filters.get("name", ()))
            ]
            return 200, found
        self.index += 1
        if where.path == "/services/create":
            if any(each["Spec"]["Name"] == body["Name"] for each in self.services.values()):
                return 409, {"message": "rpc error: code = AlreadyExists desc = name conflicts with an existing object"}
            id = f"service{self.index}"
            self.services[id] = {"ID": id, "Version": {"Index": self.index}, "Spec": body}
            return 201, {"ID": id}
        service = self.services.get(parts[1])
        if service is None:
            return 404, {"message": f"service {parts[1]} not found"}
        if method == "DELETE":
            del self.services[parts[1]]
            return 200, None
        version = int(parse_qs(where.query)["version"][0])
        if self.conflicts or version != service["Version"]["Index"]:
            self.conflicts = max(0, self.conflicts - 1)
            return 500, {"message": "rpc error: code = Unknown desc = update out of sequence"}
        service |= {"Version": {"Index": self.index}, "Spec": body}
        return 200, {}

    def tick(self) -> None:
        kept = []
        for id, service in self.services.items():
            spec = service["Spec"]
            most = spec["TaskTemplate"].get("Placement", {}).get("MaxReplicas", 99)
            count = 3 if "Global" in spec["Mode"] else spec["Mode"]["Replicated"]["Replicas"]
            for slot in range(1, count + 1):
                fits = slot <= 3 * most
                status = (
                    {"State": "running"} if fits else {"State": "pending", "Err": "no suitable node (max replicas)"}
                )
                task = {"ID": f"{id}-{slot}", "ServiceID": id, "DesiredState": "running", "Status": status}
                task |= {"NodeID": f"id{(slot - 1) % 3 + 1}"} if fits else {}
                kept.append(task | ({} if "Global" in spec["Mode"] else {"Slot": slot}))
        self.tasks = kept

    def secrets(self) -> Sequence[str]:
        return ()


def backend(units: Sequence[Loaded]) -> Swarm:
    return Swarm(convert(units, "swarm").documents)


def three(text: str = WEB) -> list[Loaded]:
    return [unit(text, name) for name in NAMES]


def start(world: Any, units: Sequence[Loaded]) -> None:
    must(world, HOSTS, lambda: backend(units).start(units, ()))


def ended(world: Any, talk: Any) -> Ended:
    return hold(world, HOSTS, talk, pauses=5)


def test_units_come_stop_start_and_go() -> None:
    world: Any = Engine()
    must(world, HOSTS, lambda: backend(three()).submit(three()))
    rows = must(world, HOSTS, lambda: settled(Swarm(), NAMES))
    assert [(row.name, row.desired, row.state, row.host) for row in rows] == [
        (name, "inactive", "inactive", "") for name in NAMES
    ]
    world.conflicts = 1
    must(world, HOSTS, lambda: Swarm().start((), NAMES))
    rows = must(world, HOSTS, lambda: settled(Swarm(), NAMES))
    assert [(row.name, row.state, row.host, row.service) for row in rows] == [
        (name, "running", f"n{i}", "web") for i, name in enumerate(NAMES, 1)
    ]
    (service,) = world.services.values()
    before = service["Version"]
    start(world, three())  # nothing to change
    assert service["Version"] == before
    start(world, three(WEB.replace("64m", "128m")))
    assert service["Spec"]["TaskTemplate"]["Resources"]["Limits"]["MemoryBytes"] == 128 * 1024**2
    must(world, HOSTS, lambda: Swarm().stop(NAMES))
    rows = must(world, HOSTS, lambda: settled(Swarm(), NAMES))
    assert {row.state for row in rows} == {"inactive"}
    must(world, HOSTS, lambda: backend(three()).submit(three()))  # a new file, and it stays stopped
    assert service["Spec"]["Mode"] == {"Replicated": {"Replicas": 0}}
    must(world, HOSTS, lambda: Swarm().destroy(NAMES))
    assert world.services == {}
    must(world, HOSTS, lambda: Swarm().destroy(NAMES))


def test_a_part_of_a_service_cannot_be_named() -> None:
    world: Any = Engine()
    start(world, three())
    found = ended(world, lambda: Swarm().stop(NAMES[:1]))
    assert isinstance(found.error, InputError)
    assert "web@2.service, web@3.service" in str(found.error)
    found = ended(world, lambda: Swarm().stop(["wab@1.service"]))
    assert "did you mean 'web@1.service'?" in str(found.error)


def test_somebody_elses_service_is_left_alone() -> None:
    world: Any = Engine()
    world.answer(
        "POST", "/services/create", {"Name": "web", "Mode": {"Replicated": {"Replicas": 1}}, "TaskTemplate": {}}
    )
    found = ended(world, lambda: backend(three()).start(three(), ()))
    assert isinstance(found.error, RefusedError)
    assert must(world, HOSTS, Swarm().status).rows == ()


def test_global_units() -> None:
    world: Any = Engine()
    units = [run("x", "[X-Fleet]\nGlobal=yes\n")]
    found = ended(world, lambda: backend(units).submit(units))
    assert isinstance(found.error, RefusedError)
    start(world, units)
    rows = must(world, HOSTS, lambda: settled(Swarm(), ["a.service"]))
    assert [row.host for row in rows] == ["n1", "n2", "n3"]
    assert isinstance(ended(world, lambda: Swarm().stop(["a.service"])).error, RefusedError)
    must(world, HOSTS, lambda: Swarm().start((), ["a.service"]))


def test_too_many_for_the_nodes() -> None:
    world: Any = Engine()
    units = [unit(WEB, f"web@{i}.service") for i in range(1, 5)]
    start(world, units)
    found = ended(world, lambda: settled(Swarm(), [each.name.full for each in units]))
    assert not found.over
    assert found.pauses[-1] == ("web@4.service: pending: no suitable node (max replicas)",)
    status = must(world, HOSTS, Swarm().status)
    assert status.unplaced == {"web@4.service": "web@4.service: no suitable node (max replicas)"}


def test_more_instances_do_not_push_out_others() -> None:
    world: Any = Engine()
    start(world, three())
    more = [unit(WEB, f"web@{i}.service") for i in (4, 5)]
    found = ended(world, lambda: backend(more).start(more, ()))
    assert isinstance(found.error, RefusedError)
    assert "no longer be web@1.service, web@2.service, web@3.service" in str(found.error)
    (service,) = world.services.values()
    assert service["Spec"]["Mode"] == {"Replicated": {"Replicas": 3}}
    start(world, [*three(), *more])
    assert service["Spec"]["Mode"] == {"Replicated": {"Replicas": 5}}


def test_one_that_keeps_away_from_another_service_is_refused() -> None:
    world: Any = Engine()
    start(world, three())
    alone = [unit(WEB, "web@4.service")]
    found = ended(world, lambda: backend(alone).start(alone, ()))
    assert isinstance(found.error, RefusedError)
    assert "cannot keep web@4.service away from web@1.service" in str(found.error)
    must(world, HOSTS, lambda: Swarm(convert(alone, "swarm").documents, lossy=True).start(alone, ()))
    assert len(world.services) == 2


def test_why_a_task_failed_is_told_while_the_next_one_starts() -> None:
    world: Any = Engine()
    start(world, [run("x")])
    world.tick()
    (task,) = world.tasks
    world.tasks = [
        {**task, "Status": {"State": "starting"}, "CreatedAt": "2"},
        {
            **task,
            "ID": "old",
            "DesiredState": "shutdown",
            "Status": {"State": "failed", "Err": "bad"},
            "CreatedAt": "1",
        },
    ]
    (row,) = must(world, HOSTS, Swarm().status).rows
    assert (row.state, row.done) == ("starting, after it failed: bad", False)
