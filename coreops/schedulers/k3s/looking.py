"""A look at one host: how its k3s is, and from a server what Kubernetes says of the nodes. Pure; see ``look.sh``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from coreops.errors import HostFailed
from coreops.model import ShellStep
from coreops.schedulers.k3s import kube, kubectl, versions
from coreops.schedulers.k3s.kube import KubeNode
from coreops.schedulers.k3s.settings import Node
from coreops.schedulers.k3s.versions import Version
from coreops.schedulers.protocol import Seen, Talk, do

_SCRIPT = Path(__file__).with_name("look.sh")
_FLAGS = ("stale", "joined", "formed", "data", "password", "rejected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Seen):
    """One host. active: systemd's word, "" without a unit. installed, running: the binary, and what was started.

    stale: it was started with other settings than there are now. joined: coreops let it join. formed, data: it had a
    member of the cluster's data, and has it. foreign: what somebody else installed. other: the unit of the other role.
    password: it has the one that k3s made for its name; rejected: it is another than the cluster knows.
    token: "other" when the cluster's is neither the inventory's nor the one before. wanted, holds, used: marks of the
    inventory's, the cluster's, and the one that k3s was started with (servers). agents: "other" when the token that
    agents join with is not the cluster's. nodes: None when no API answers here.
    """

    machine: str = ""
    active: str = ""
    restarts: int = 0
    installed: Version | None = None
    running: Version | None = None
    stale: bool = False
    joined: bool = False
    formed: bool = False
    data: bool = False
    foreign: str = ""
    other: str = ""
    password: bool = False
    rejected: bool = False
    token: str = ""
    wanted: str = ""
    holds: str = ""
    used: str = ""
    agents: str = ""
    readonly: str = ""
    fatal: str = ""
    nodes: tuple[KubeNode, ...] | None = None

    @property
    def up(self) -> bool:
        """Runs, or is about to."""
        return self.active in ("active", "activating", "reloading")


def look(host: str, node: Node) -> Talk[Seen]:
    """Ask the host itself."""
    env = {"UNIT": node.unit, "BIN": node.bin_dir}
    step = ShellStep(
        id="look", title="look at k3s", act=_SCRIPT.read_text(encoding="utf-8"), env=env, timeout=60.0,
        in_check=True, changes=False,
    )  # fmt: skip
    record = yield from do(step)
    return read(host, b"\n".join(kubectl.unpack(record)))


def read(host: str, said: bytes) -> Found:
    """What ``look.sh`` said."""
    words: dict[str, str] = {}
    nodes: tuple[KubeNode, ...] | None = None
    for line in said.splitlines():
        key, _, value = line.partition(b" ")
        if key == b"nodes":
            nodes = kube.nodes(value)
        else:
            words[key.decode("ascii", errors="replace")] = value.decode("utf-8", errors="replace").strip()
    running = versions.parse(words.get("running", ""))
    return Found(
        host=host,
        version=str(running or ""),
        cluster=words.get("cluster", ""),
        machine=words.get("machine", ""),
        active=words.get("active", ""),
        restarts=int(words.get("restarts") or 0),
        installed=versions.parse(words.get("installed", "")),
        running=running,
        fatal=words.get("fatal", ""),
        foreign=words.get("foreign", ""),
        other=words.get("other", ""),
        token=words.get("token", ""),
        wanted=words.get("wanted", ""),
        holds=words.get("holds", ""),
        used=words.get("used", ""),
        agents=words.get("agents", ""),
        readonly=words.get("readonly", ""),
        nodes=nodes,
        **_flags(words),
    )


def own(seen: Seen) -> Found:
    """As what this adapter made it."""
    if not isinstance(seen, Found):
        raise HostFailed(f"{seen.host} was looked at by another scheduler")
    return seen


def _flags(words: Mapping[str, str]) -> dict[str, bool]:
    return {key: words.get(key) == "yes" for key in _FLAGS}
