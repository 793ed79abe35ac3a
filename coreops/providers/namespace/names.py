"""The names of everything a lab owns on the host. Pure: a lab's name in, paths and names out.

Nothing is named at random: what a killed ``lab up`` or launcher left behind can be found again from the lab's name.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from coreops.errors import InputError

_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")


def state_root() -> Path:
    """The folder of all labs of this machine."""
    # The kernel names a loop device's file without symbolic links, and a lab is found again by that name.
    return Path(os.environ.get("COREOPS_LAB_STATE") or "/var/lib/coreops/labs").resolve()


@dataclass(frozen=True, slots=True)
class LabNames:
    """Every host name that belongs to one lab."""

    lab: str
    root: Path

    @classmethod
    def of(cls, lab: str) -> LabNames:
        """Check the lab's name and derive the rest. Raises InputError."""
        if not _NAME.fullmatch(lab):
            raise InputError(
                f"{lab!r} cannot be the name of a lab",
                why="it becomes part of file, network namespace and cgroup names",
                next="use 1 to 20 of a-z, 0-9 and '-', beginning with a letter",
            )
        return cls(lab, state_root())

    @property
    def folder(self) -> Path:
        return self.root / self.lab

    @property
    def plan_file(self) -> Path:
        return self.folder / "lab.json"

    @property
    def key_file(self) -> Path:
        return self.folder / "id_ed25519"

    @property
    def known_hosts_file(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def nodes_folder(self) -> Path:
        return self.folder / "nodes"

    @property
    def switch(self) -> str:
        """Network namespace of the lab's bridge."""
        return f"coreops-{self.lab}"

    @property
    def uplink(self) -> str:
        """The host's own link into the lab. The kernel allows 15 characters."""
        return "co-" + hashlib.sha256(self.lab.encode()).hexdigest()[:10]

    @property
    def cgroup(self) -> str:
        return f"coreops-lab/{self.lab}"

    def node(self, node: str) -> NodeNames:
        return NodeNames(self, node)


@dataclass(frozen=True, slots=True)
class NodeNames:
    """Every host name that belongs to one node of a lab."""

    lab: LabNames
    node: str

    @property
    def folder(self) -> Path:
        return self.lab.nodes_folder / self.node

    @property
    def disk(self) -> Path:
        return self.folder / "disk.img"

    @property
    def seed(self) -> Path:
        """Files the launcher puts onto ROOT before the first boot, as a platform's user-data would."""
        return self.folder / "seed"

    @property
    def user_data(self) -> Path:
        """What cloud-init finds as its NoCloud seed, where the lab has user-data."""
        return self.folder / "nocloud"

    @property
    def log(self) -> Path:
        return self.folder / "console.log"

    @property
    def lock(self) -> Path:
        """Held by the launcher for as long as it lives."""
        return self.folder / "launcher.lock"

    @property
    def run_file(self) -> Path:
        """What the launcher says of the present boot."""
        return self.folder / "run.json"

    @property
    def power_file(self) -> Path:
        """``off``: the operator pulled the plug, so an init that dies is no kernel panic."""
        return self.folder / "power"

    @property
    def netns(self) -> str:
        return f"{self.lab.switch}.{self.node}"

    @property
    def cgroup(self) -> str:
        """Where the node's processes live."""
        return f"{self.lab.cgroup}/node-{self.node}"

    @property
    def launcher_cgroup(self) -> str:
        return f"{self.lab.cgroup}/launcher-{self.node}"
