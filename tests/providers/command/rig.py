"""The cloud of files and the way to it, as the conformance suite wants it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from coreops.model import Position
from coreops.providers.command import connect
from coreops.providers.command.provider import Command
from coreops.providers.protocol import Machine, Wanted, mark
from coreops.providers.registry import Opening
from tests.providers.conformance import CLUSTER

HERE = Position("hosts.yml", 3)


def install(folder: Path) -> Path:
    """Put the cloud's program into a folder."""
    program = folder / "cloud.py"
    text = Path(__file__).with_name("cloud.py").read_text()
    # -S: nothing of the environment's site, which takes longer to load than all the rest
    program.write_text(text.replace("#!/usr/bin/env python3", f"#!{sys.executable} -S"))
    program.chmod(0o755)
    return program


@dataclass
class CommandRig:
    """Faults are files that the program reads."""

    folder: Path
    provider: Command = field(init=False)

    def __post_init__(self) -> None:
        install(self.folder)
        (self.folder / "cloud").mkdir()
        opening = Opening(CLUSTER, self.folder, {"n1": {"command_program": "cloud.py"}}, HERE)
        self.provider = connect(opening)

    def wanted(self, node: str, cluster: str = CLUSTER) -> Wanted:
        settings = {"command_program": "cloud.py", "command_size": "small", "command_disks": [1, 2]}
        return Wanted(node, cluster, f"#cloud-config\nhostname: {node}\n".encode(), settings, HERE)

    def resized(self, wanted: Wanted) -> Wanted:
        return replace(wanted, settings={**wanted.settings, "command_size": "large"})

    def ids(self) -> set[str]:
        return {json.loads(path.read_text())["id"] for path in self._machines()}

    def stranger(self) -> str:
        found = {"node": "n1", "cluster": CLUSTER, "id": "i-n1", "state": "running", "mark": "n1", "addresses": {}}
        (self.folder / "cloud" / "stranger.json").write_text(json.dumps(found))
        return "i-n1"

    def lose_answers(self, count: int) -> None:
        self._faults({"lose": count})

    def refuse(self, told: str | None) -> None:
        self._faults({"refuse": told})

    def vanish(self, machine: Machine) -> None:
        (self.folder / "cloud" / f"{mark(CLUSTER, machine.node)}.json").unlink()

    def settle(self) -> None:
        """Files are there at once."""

    def _machines(self) -> list[Path]:
        return list((self.folder / "cloud").glob("*.json"))

    def _faults(self, faults: Mapping[str, object]) -> None:
        (self.folder / "cloud" / "faults").write_text(json.dumps(faults))
