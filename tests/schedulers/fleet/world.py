"""A fleet of three managers and two workers for the conformance suite: the fake answers what the steps ask, without sh
and curl in between (``test_api.py`` and ``test_talks.py`` have those).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coreops.model import Record, ShellStep
from coreops.schedulers.fleet.adapter import Fleet as Adapter
from coreops.schedulers.fleet.adapter import make
from coreops.schedulers.protocol import Cluster, Host
from tests.schedulers.fleet import model
from tests.schedulers.fleet.model import STILL, Job, Machine
from tests.schedulers.fleet.service import Service, plain

ROLES = {"m1": "manager", "m2": "manager", "m3": "manager", "w1": "worker", "w2": "worker"}


def cluster(settings: Mapping[str, Any] | None = None, zones: Mapping[str, str] | None = None) -> Cluster:
    hosts = tuple(
        Host(
            name=name,
            address=f"10.0.0.{number}",
            role=role,  # type: ignore[arg-type]
            labels={"zone": zones[name]} if zones else {},
            settings=settings or {},
        )
        for number, (name, role) in enumerate(ROLES.items(), start=1)
    )
    return Cluster(scheduler="fleet", hosts=hosts, store=("https://10.0.0.1:2379",))


def option(section: str, name: str, value: str) -> dict[str, str]:
    return {"section": section, "name": name, "value": value}


class FakeWorld:
    """The world. Machine ids are made of the hosts' names, as far from their order as can be."""

    node, other = "w1", "w2"

    def __init__(self, *, old: bool = False, seed: int = 0, settings: Mapping[str, Any] | None = None) -> None:
        self.fleet = model.Fleet(old=old, seed=seed)
        self.service = Service(self.fleet)
        self.scheduler: Adapter = make(cluster(settings))
        self.ids: dict[str, str] = {}
        self.mine: list[str] = []
        for number, host in enumerate(self.scheduler.cluster.hosts):
            self.ids[host.name] = f"{'84612'[number]}{number}" + "ab" * 15
            self.boot(host.name)
        self.tick()

    def boot(self, host: str) -> None:
        id = self.ids[host]
        self.fleet.machines[id] = Machine(id, self.scheduler.cluster.host(host).address, {"coreops-host": host})

    def submit(self, name: str, *fleet: tuple[str, str], desired: str = "launched", on: str = "") -> None:
        """A unit with these [X-Fleet] lines; ``on``: it runs there already."""
        options = [option("Service", "ExecStart", "/bin/sleep inf"), *(option("X-Fleet", *each) for each in fleet)]
        job = self.fleet.jobs[name] = Job(name, plain(options), desired)
        if on:
            job.target = self.ids[on]
            machine = self.fleet.machines[job.target]
            machine.cache[name], machine.hashes[name] = desired, job.options
            machine.systemd[name] = "active" if desired == "launched" else "inactive"

    def run(self, host: str, step: ShellStep) -> Record:
        if step.id == "look":
            active = "active" if self.ids[host] in self.fleet.machines else "inactive"
            text = (
                f"uid 0\nmachine {self.ids[host]}\nprogram /usr/bin/fleetd\nversion 1.0.0\n"
                f"unit fleet.service {active} /usr/lib/systemd/system/fleet.service\nunit fleet.socket active\n"
                'managed yes\nservers "https://10.0.0.1:2379"\netcd {"etcdserver":"3.5.17"}\nv2 200\n'
            )
            return Record(step.id, "ok", stdout=text.encode())
        if self.ids[host] not in self.fleet.machines:
            return Record(step.id, "failed", 7, stderr=b"there is no socket /var/run/fleet.sock")
        body = step.blobs[0].data or b"" if step.blobs else b""
        said = b""
        for resource in step.env["RESOURCES"].split("\n"):
            headers = {"Content-Type": "application/json"} if step.blobs else {}
            status, answer = self.service.handle(step.env["METHOD"], f"/fleet/v1/{resource}", headers, body)
            said += answer + b"\x1e%d\x1e" % status
        return Record(step.id, "changed" if step.act else "ok", stdout=said)

    def tick(self) -> None:
        self.fleet.tick()

    def start(self, host: str, stubborn: bool = False) -> str:
        name = f"web@{len(self.mine) + 1}.service"
        self.submit(name, on=host)
        self.mine.append(name)
        if stubborn:
            self.fleet.stubborn.add(name)
        return name.removesuffix(".service")

    def let_go(self) -> None:
        self.fleet.stubborn.clear()

    def running(self, host: str) -> int:
        machine = self.fleet.machines.get(self.ids[host])
        return sum(machine.systemd.get(name) in STILL for name in self.mine) if machine else 0

    def open(self, host: str) -> bool:
        there = self.fleet.agents().get(self.ids[host])
        return there is not None and not self.fleet.unable(Job("new@7.service"), self.ids[host], there)

    def close(self, host: str) -> None:
        """What an operator can do who knows fleet: a unit that suffers nobody else beside it."""
        there = [job.name for job in self.fleet.agents()[self.ids[host]].values()]
        assert all(name.startswith("web@") for name in there)
        everything = "[^w]*" if there else "*"
        self.submit(
            f"keep-{host}.service", ("MachineMetadata", f"coreops-host={host}"), ("Conflicts", everything),
            ("Conflicts", "n*"), desired="loaded", on=host,
        )  # fmt: skip

    def kill(self, host: str) -> None:
        del self.fleet.machines[self.ids[host]]
        for _ in range(3):
            self.tick()

    def secrets(self) -> Sequence[str]:
        return ()
