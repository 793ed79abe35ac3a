"""Nodes that are local shells behind a faulty wire, and the parts that talk to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coreops.events import Event
from coreops.model import Target
from coreops.transport.fake import FakeTransport, Fault
from coreops.upgrade.cluster.nodes import Nodes

HOSTS = ("n1", "n2", "n3")
MakeNodes = Callable[..., Nodes]


def targets() -> dict[str, Target]:
    return {name: Target(name=name, address=name, transport="fake") for name in HOSTS}


@pytest.fixture
def hosts(tmp_path: Path) -> FakeTransport:
    return FakeTransport(tmp_path / "hosts")


@pytest.fixture
def nodes(hosts: FakeTransport) -> Iterator[MakeNodes]:
    """Make Nodes; ``faults``: by host."""
    made: list[Nodes] = []

    def make(emit: Callable[[Event], None] = lambda event: None, **faults: Fault) -> Nodes:
        hosts.faults.update(faults)
        made.append(Nodes(targets(), emit, run="test", transport=hosts))
        return made[-1]

    yield make
    for each in made:
        each.close()
