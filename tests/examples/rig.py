"""An example program of docs/examples/providers with a fake of its cloud, as the conformance suite wants them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from coreops.model import Position
from coreops.providers.command import connect
from coreops.providers.command.provider import Command
from coreops.providers.protocol import Machine, Wanted
from coreops.providers.registry import Opening
from tests.providers.conformance import CLUSTER

PROGRAMS = Path(__file__).parents[2] / "docs/examples/providers"
HERE = Position("hosts.yml", 3)


class Cloud(Protocol):
    """A fake cloud; its methods are those of the suite's rig."""

    def ids(self) -> set[str]: ...

    def stranger(self) -> str: ...

    def lose_answers(self, count: int) -> None: ...

    def refuse(self, told: str | None) -> None: ...

    def vanish(self, identity: str) -> None: ...

    def settle(self) -> None: ...


@dataclass
class ExampleRig:
    """settings: what a node of this cloud is made of, without the prefix. bigger: those of another type of machine."""

    program: str
    cloud: Cloud
    settings: Mapping[str, Any]
    bigger: Mapping[str, Any]
    provider: Command = field(init=False)

    def __post_init__(self) -> None:
        self.provider = connect(Opening(CLUSTER, PROGRAMS, {"n1": {"command_program": self.program}}, HERE))

    def wanted(self, node: str, cluster: str = CLUSTER) -> Wanted:
        return wanted(node, self.settings, cluster)

    def resized(self, wanted: Wanted) -> Wanted:
        return replace(wanted, settings={**wanted.settings, **prefixed(self.bigger)})

    def ids(self) -> set[str]:
        return self.cloud.ids()

    def stranger(self) -> str:
        return self.cloud.stranger()

    def lose_answers(self, count: int) -> None:
        self.cloud.lose_answers(count)

    def refuse(self, told: str | None) -> None:
        self.cloud.refuse(told)

    def vanish(self, machine: Machine) -> None:
        self.cloud.vanish(machine.id)

    def settle(self) -> None:
        self.cloud.settle()


def wanted(node: str, settings: Mapping[str, Any], cluster: str = CLUSTER, user_data: bytes | None = None) -> Wanted:
    """A node as an inventory would want it."""
    told = user_data or f"#cloud-config\nhostname: {node}\n".encode()
    return Wanted(node, cluster, told, prefixed(settings), HERE)


def prefixed(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {f"command_{name}": value for name, value in settings.items()}
