"""What heal makes of the answers it gets: members, signs of life, silence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coreops.engine.engine import HostOutcome
from coreops.engine.program import Program
from coreops.engine.steps import StepsProgram
from coreops.errors import UnreachableError
from coreops.healing.look import Eyes
from coreops.model import Record, Target
from coreops.registration.readers import Standing
from coreops.registration.record import Registered
from coreops.schedulers.protocol import Node as SchedulerNode
from coreops.store.audit import Look
from coreops.store.cluster import Member
from coreops.store.etcdctl import MemberInfo, Status
from coreops.store.lockfile import Locked
from coreops.store.observe import Node
from coreops.store.wanted import Wanted

MEMBERS = tuple(Member(f"n{i}", f"10.0.0.{i}") for i in (1, 2, 3))
ENTRIES = tuple(
    MemberInfo(i, f"n{i}" if i < 4 else "old", (f"https://10.0.0.{i}:2380",), (f"https://10.0.0.{i}:2379",))
    for i in (1, 2, 3, 4)
)
LOST = UnreachableError("tcp", "no route")


def serving(host: str, id: int) -> Node:
    status = Status(cluster_id=1, member_id=id, leader=1, version="3.5.1", raft_index=5)
    return Node(host=host, data=True, active=True, healthy=True, status=status, members=ENTRIES)


@dataclass
class Engine:
    """Answers for the nodes that it has; the others do not answer. well: the URLs that are healthy."""

    nodes: dict[str, Node | None]
    targets: Mapping[str, Target]
    well: set[str] = field(default_factory=set)

    def drive(self, programs: Mapping[str, Program]) -> dict[str, HostOutcome]:
        found = {}
        for host, program in programs.items():
            found[host] = HostOutcome("done")
            if host not in self.nodes:
                found[host] = HostOutcome("unreachable", LOST)
            elif isinstance(program, Look):
                program.node = self.nodes[host]
            elif isinstance(program, StepsProgram):
                segment = program.next()
                assert segment is not None
                (step,) = segment.steps
                urls = [f"https://10.0.0.{i}:2379" for i in (1, 2, 3, 4)]
                told = json.dumps([{"endpoint": url, "health": url in self.well} for url in urls]).encode()
                program.feed(Record(step.id, "ok", stdout=told))
        return found

    def disconnect(self, host: str) -> None:
        pass


@dataclass
class World:
    engine: Engine
    registered: list[str] | None = field(default_factory=list)
    leased: dict[str, str] | None = field(default_factory=dict)
    now: float = 0.0
    told: list[str] = field(default_factory=list)

    def read(self) -> Standing:
        if self.registered is None:
            raise LOST
        return Standing({name: Registered(machine_id=name, host=name) for name in self.registered}, 1)

    def leases(self) -> Mapping[str, str]:
        if self.leased is None:
            raise LOST
        return self.leased

    def agents(self) -> tuple[str, tuple[SchedulerNode, ...]]:
        return "swarm", (SchedulerNode(name="x1", host="n1"), SchedulerNode(name="x9", host="n9", state="down"))

    def eyes(self) -> Eyes:
        locked: Mapping[str, Locked] = {}
        made = Eyes(
            Wanted(MEMBERS, self.engine.targets, locked, "3.5.1"),
            self.engine.targets,
            self,  # type: ignore[arg-type]
            self.leases,
            self.agents,
            self.told.append,
            run="test",
            clock=lambda: self.now,
        )
        made.engine = self.engine  # type: ignore[assignment]
        return made


def world(**nodes: Node | None) -> World:
    targets = {name: Target(name, name, known_hosts=(Path("/dev/null"),)) for name in ("n1", "n2", "n3", "w1")}
    return World(Engine(nodes, targets))


def test_all_that_can_be_known_is_known() -> None:
    here = world(n1=serving("n1", 1), n2=Node(host="n2"), w1=None)
    here.engine.well = {"https://10.0.0.3:2379"}
    here.registered, here.leased = ["w1", "x"], {"w1": "me"}
    seen = here.eyes().look()
    assert {m.host: (m.answers, m.data, m.registered, m.leased) for m in seen.machines} == {
        "n1": (True, True, False, ""),
        "n2": (True, False, False, ""),
        "n3": (False, True, False, ""),
        "w1": (True, True, True, "me"),
    }
    assert [(m.host, m.healthy) for m in seen.members or ()] == [("n1", True), ("n2", False), ("n3", True), ("", False)]
    assert (seen.members or ())[3].urls == ("https://10.0.0.4:2379",)
    assert seen.alive == {"n1", "n2", "n3", "w1"}
    assert [(agent.host, agent.ready) for agent in seen.agents] == [("n1", True), ("", False)]
    assert seen.registered == {"w1", "x"}


def test_silence_is_counted_from_when_it_began_and_ends_with_any_sign() -> None:
    here = world(n1=serving("n1", 1), n2=serving("n2", 2))
    eyes = here.eyes()

    def silence() -> float:
        here.now += 10.0
        return next(machine.silent for machine in eyes.look().machines if machine.host == "w1")

    assert [silence(), silence(), silence()] == [0.0, 10.0, 20.0]
    here.registered = ["w1"]
    assert silence() == 0.0
    here.registered = []
    assert [silence(), silence()] == [0.0, 10.0]
    here.registered = None
    assert [silence(), silence()] == [0.0, 0.0]
    assert "who is registered is not known" in here.told[0]


def test_nobody_is_free_while_the_ledger_is_silent() -> None:
    here = world(n1=serving("n1", 1), n2=serving("n2", 2))
    here.leased = None
    assert {machine.leased for machine in here.eyes().look().machines} == {"somebody"}


def test_without_a_quorum_there_are_no_members() -> None:
    seen = world(n1=Node(host="n1", data=True, active=True), n2=Node(host="n2")).eyes().look()
    assert seen.members is None
    assert [machine.silent for machine in seen.machines] == [0.0] * 4
