"""A provider in memory, with machines that take their time and a cloud that has its moods."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

from coreops.errors import CoreopsError
from coreops.model import Position
from coreops.providers import planning
from coreops.providers.protocol import Change, Machine, Power, Wanted
from coreops.provision.share import Share

CLUSTER = "c"


def key(name: str) -> str:
    kind = b"ssh-ed25519"
    return f"ssh-ed25519 {base64.b64encode(len(kind).to_bytes(4, 'big') + kind + name.encode()).decode()}"


def wanted(*nodes: str) -> tuple[Wanted, ...]:
    return tuple(Wanted(node, CLUSTER, b"#cloud-config\n", {"memory_type": "small"}, Position("h")) for node in nodes)


@dataclass
class Memory:
    """refused: nodes that cannot be made. slow: looks until a machine runs. keyless: without host keys."""

    name: str = "memory"
    machines: dict[str, Machine] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    stubborn: set[str] = field(default_factory=set)
    keyless: set[str] = field(default_factory=set)
    slow: int = 0
    deaf: bool = False
    made: list[str] = field(default_factory=list)
    asked_for_keys: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def share(self, *nodes: str) -> Share:
        return Share(self, CLUSTER, wanted(*nodes))

    def plan(self, wanted: Sequence[Wanted], found: Sequence[Machine]) -> tuple[Change, ...]:
        return planning.plan(
            wanted, found, lambda each: {"type": "small"}, lambda action, node, *_: (f"{action} {node}",)
        )

    def create(self, wanted: Wanted) -> Machine:
        with self.lock:
            if wanted.node in self.refused:
                raise CoreopsError("refused", why="no more of these", next="ask for more")
            number = len(self.made) + 1
            self.made.append(wanted.node)
            address = {"private_ipv4": f"192.0.2.{number}"}
            machine = Machine(wanted.node, f"i-{number}", "pending" if self.slow else "running", address)
            self.machines[wanted.node] = machine
            return machine

    def observe(self, cluster: str) -> tuple[Machine, ...]:
        assert cluster == CLUSTER
        if self.deaf:
            raise CoreopsError("no answer", why="throttled", next="try later")
        self.slow = max(self.slow - 1, 0)
        if not self.slow:
            self.machines = {
                node: replace(each, state="running") if each.state == "pending" else each
                for node, each in self.machines.items()
            }
        return tuple(self.machines.values())

    def host_keys(self, machine: Machine) -> tuple[str, ...]:
        self.asked_for_keys.append(machine.node)
        return () if machine.node in self.keyless else (key(machine.id),)

    def console(self, machine: Machine) -> Iterator[bytes]:
        yield b"login: "

    def power(self, machine: Machine, power: Power) -> None:
        self.machines[machine.node] = replace(machine, state="stopped" if power == "off" else "running")

    def destroy(self, machine: Machine) -> None:
        if machine.node in self.refused:
            raise CoreopsError("refused", why="it is protected")
        if machine.node not in self.stubborn:
            self.machines.pop(machine.node, None)
