"""Talks held through real sh and curl with the fake fleetd."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from coreops.model import Record, ShellStep
from coreops.schedulers.fleet.api import Api
from coreops.schedulers.protocol import Pause, Talk
from tests.schedulers.fleet.model import Fleet
from tests.schedulers.fleet.service import Service, served

T = TypeVar("T")


@dataclass
class Node:
    """A node with a fleetd that serves; time passes with every request."""

    folder: Path
    fleet: Fleet = field(default_factory=Fleet)
    service: Service = field(init=False)
    pauses: list[tuple[str, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.service = Service(self.fleet)
        self.api = Api(socket=str(self.folder / "fleet.sock"))

    def hold(self, make: Callable[[], Talk[T]] | Talk[T]) -> T:
        talk: Any = make() if callable(make) else make
        answer: Record | None = None
        try:
            while True:
                said = talk.send(answer)
                answer = None
                if isinstance(said, Pause):
                    self.pauses.append(said.left)
                    assert len(self.pauses) < 100, self.pauses[-1]
                    continue
                answer = self.run(said)
        except StopIteration as end:
            value: T = end.value
            return value

    def run(self, step: ShellStep) -> Record:
        env = {"PATH": os.environ["PATH"], **step.env}
        for number, blob in enumerate(step.blobs, start=1):
            path = self.folder / f"blob{number}"
            path.write_bytes(blob.data or b"")
            env[f"blob{number}"] = str(path)
        line = ["sh", "-c", step.probe or step.act or ""]
        done = subprocess.run(line, env=env, capture_output=True, stdin=subprocess.DEVNULL, timeout=30, check=False)
        state = "failed" if done.returncode else ("ok" if step.probe else "changed")
        return Record(step.id, state, done.returncode, done.stdout, done.stderr)  # type: ignore[arg-type]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path)
    with served(made.service, tmp_path / "fleet.sock", before=made.fleet.tick):
        yield made
