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
        self.availability: dict[int, str] = {}
        self.engines: dict[int, str] = {}
        self.labels: dict[int, dict[str, str]] = {}
        self.written: list[str] = []
        self.large = False

    def run(self, host: str, step: ShellStep) -> Record:
        body = json.loads(step.env["BODY"]) if step.env["BODY"] else None
        if self.large and any(
            urlsplit(path).path == "/tasks" and "?" not in path for path in step.env["PATHS"].split("\n")
        ):
            return Record(step.id, "ok", stdout=b"[", truncated=1)
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
                    "Spec": {
                        "Role": "manager",
                        "Availability": self.availability.get(i, "active"),
                        "Labels": {"coreops.host": f"n{i}", **self.labels.get(i, {})},
                    },
                    "Description": {"Hostname": f"n{i}", "Engine": {"EngineVersion": self.engines.get(i, "20.10.24")}},
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
        self.written.append(f"{method} {where.path}")
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
                ports = spec.get("EndpointSpec", {}).get("Ports", [])
                status: dict[str, Any] = {"State": "running", "PortStatus": {"Ports": ports}}
                if not fits:
                    status = {"State": "pending", "Err": "no suitable node (max replicas)"}
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


def refused(world: Any, talk: Any) -> str:
    """What was said of a talk that must have written nothing."""
    before = list(world.written)
    found = ended(world, talk)
    assert isinstance(found.error, RefusedError)
    assert world.written == before
    return str(found.error)


def test_too_many_for_the_nodes_are_refused_before_anything_is_written() -> None:
    world: Any = Engine()
    units = [*(unit(WEB, f"web@{i}.service") for i in range(1, 5)), run("x")]
    for talk in (backend(units).submit, lambda units: backend(units).start(units, ())):
        said = refused(world, lambda talk=talk: talk(units))
        assert "web@4.service cannot be placed" in said
        assert "none of 3 machines may run it: Conflicts on 3 (closest: n1: Conflicts with web@" in said
    # submitted while there was a place, and started while there is none
    must(world, HOSTS, lambda: backend(three()).submit(three()))
    world.availability[2] = "drain"
    said = refused(world, lambda: Swarm().start((), NAMES))
    assert "web@3.service cannot be placed" in said
    assert "closed on 1 (closest: n2: closed (cordoned, drained or not there)" in said
    world.availability.clear()
    must(world, HOSTS, lambda: Swarm().start((), NAMES))
    # what runs already, and is named again, is left to Swarm: the node comes back
    world.availability[2] = "drain"
    start(world, three())


def test_more_tasks_than_one_answer_can_hold() -> None:
    world: Any = Engine()
    start(world, three())
    world.tick()
    world.large = True
    rows = must(world, HOSTS, lambda: settled(Swarm(), NAMES))
    assert [(row.state, row.host) for row in rows] == [("running", f"n{i}") for i in (1, 2, 3)]
    must(world, HOSTS, lambda: Swarm().destroy(NAMES))
    assert world.services == {}


def test_which_nodes_were_closest() -> None:
    world: Any = Engine()
    world.labels = {1: {"zone": "Z1", "disk": "ssd"}, 2: {"zone": "z2"}}
    asks = "[X-Fleet]\nMachineMetadata=zone=z1\nMachineMetadata=disk={}\n"
    start(world, [run("x", asks.format("SSD"))])  # Swarm does not mind upper and lower case
    said = refused(world, lambda: backend(bad := [run("x", asks.format("hdd"))]).start(bad, ()))
    assert "none of 3 machines may run it: MachineMetadata on 3" in said
    assert "(closest: n1: MachineMetadata disk=hdd wanted, it has disk=ssd; n2: " in said
    other = [run("x", "[X-Fleet]\nMachineID=n9\n", "b.service")]
    assert "MachineMetadata coreops.host=n9 wanted" in refused(world, lambda: backend(other).start(other, ()))


def test_a_port_of_a_node_is_there_once() -> None:
    world: Any = Engine()
    start(world, [run("-p 80:80 x", "[X-Fleet]\nGlobal=true\n", "front.service")])
    world.tick()
    more = [run("-p 80:80 x", "[X-Fleet]\nMachineID=n2\n", "late.service")]
    said = refused(world, lambda: backend(more).start(more, ()))
    assert "port on 3, MachineMetadata on 2 (closest: n2: port 80/tcp is taken by front (task " in said
    udp = [run("-p 80:80/udp x", name=f"dns@{i}.service") for i in (1, 2, 3, 4)]
    assert "port 80/udp is taken by dns@1.service" in refused(world, lambda: backend(udp).start(udp, ()))
    start(world, udp[:3])


def test_what_an_engine_would_leave_out_in_silence() -> None:
    world: Any = Engine()
    world.engines[3] = "18.06.3-ce"
    said = refused(world, lambda: backend(three()).start(three(), ()))
    assert "Docker 18.06.3-ce on n3 does not know --ulimit of services" in said
    plain = WEB.replace("--ulimit nofile=65536", "")
    said = refused(world, lambda: backend(three(plain)).submit(three(plain)))
    assert "does not know Conflicts= of its own template" in said
    must(world, HOSTS, lambda: Swarm(convert(three(), "swarm").documents, lossy=True).submit(three()))


def test_constraints_that_are_not_ours_are_swarms_matter() -> None:
    world: Any = Engine()
    must(world, HOSTS, lambda: backend(three()).submit(three()))
    (service,) = world.services.values()
    service["Spec"]["TaskTemplate"]["Placement"]["Constraints"] = ["node.role==worker", "node.labels.zone!=z9"]
    must(world, HOSTS, lambda: Swarm().start((), NAMES))


def test_why_swarm_has_put_a_replica_nowhere() -> None:
    world: Any = Engine()
    start(world, three())
    (service,) = world.services.values()
    service["Spec"]["Labels"]["coreops.unit"] += ",web@4.service"
    service["Spec"]["Mode"]["Replicated"]["Replicas"] = 4
    found = ended(world, lambda: settled(Swarm(), [*NAMES, "web@4.service"]))
    assert not found.over
    assert found.pauses[-1] == ("web@4.service: pending: no suitable node (max replicas)",)
    status = must(world, HOSTS, Swarm().status)
    assert status.unplaced == {"web@4.service": "web@4.service: no suitable node (max replicas)"}


def test_more_instances_do_not_push_out_others() -> None:
    world: Any = Engine()
    free = WEB.replace("-p 8080:80/tcp", "").replace("Conflicts=web@*.service", "")
    start(world, three(free))
    more = [unit(free, f"web@{i}.service") for i in (4, 5)]
    found = ended(world, lambda: backend(more).start(more, ()))
    assert isinstance(found.error, RefusedError)
    assert "no longer be web@1.service, web@2.service, web@3.service" in str(found.error)
    (service,) = world.services.values()
    assert service["Spec"]["Mode"] == {"Replicated": {"Replicas": 3}}
    start(world, [*three(free), *more])
    assert service["Spec"]["Mode"] == {"Replicated": {"Replicas": 5}}


def test_one_that_keeps_away_from_another_service_is_refused() -> None:
    world: Any = Engine()
    start(world, three())
    alone = [unit(WEB.replace("-p 8080:80/tcp", ""), "web@4.service")]
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
