"""What a look at one engine told, and the swarm as one of its managers lists it. Pure: text in, frozen data out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from coreops.errors import HostFailed
from coreops.schedulers.protocol import Role, Seen
from coreops.schedulers.swarm.engine import decode
from coreops.schedulers.swarm.marks import Spec

HOST = "coreops.host"
OURS = "coreops.swarm"
"""The label of a swarm that coreops made, or took over."""
_END = re.compile(r"\n= ([a-z]+) (\d{3})\n")
_ENDED = frozenset({"complete", "shutdown", "failed", "rejected", "remove", "orphaned"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One node in the swarm's own list. reachability: of a manager, "" of a worker. address: where it was seen from.
    updated: when the leader last wrote anything of it, by the leader's clock; 0 when that cannot be told.
    """

    id: str
    version: int
    spec: Spec
    state: str
    address: str = ""
    hostname: str = ""
    engine: str = ""
    reachability: str = ""
    leader: bool = False
    manager_address: str = ""
    updated: float = 0.0

    @property
    def host(self) -> str:
        """The inventory's name for it, "" for one that coreops has not named."""
        return self.spec.labels.get(HOST, "")

    @property
    def name(self) -> str:
        """A word for people."""
        return self.host or self.hostname or self.id

    @property
    def role(self) -> Role:
        return "manager" if self.spec.role == "manager" else "worker"

    @property
    def settled(self) -> bool:
        """Is it up, and what it shall be?"""
        return self.state == "ready" and (
            self.reachability == "reachable" if self.role == "manager" else not self.reachability
        )


@dataclass(frozen=True, slots=True)
class Task:
    """One task. state is what its node last said, desired what the swarm wants. ports: its node's, like ``80/tcp``."""

    id: str
    service: str
    node: str
    state: str
    desired: str
    slot: int = 0
    ports: tuple[str, ...] = ()

    @property
    def alive(self) -> bool:
        """May it run, or be about to?"""
        return self.state not in _ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight(Seen):
    """One engine. engine: absent, or systemd's word for docker.service. stale: it runs with other settings than it has
    on its disk. local: the engine's word for its part in a swarm. tasks: containers of a swarm that run on it. entries,
    swarm: as a manager knows them. age: seconds that the engine has run. now: the node's clock.
    """

    engine: str = "active"
    stale: bool = False
    local: str = "inactive"
    error: str = ""
    node: str = ""
    control: bool = False
    known_managers: tuple[str, ...] = ()
    tasks: int = 0
    entries: tuple[Entry, ...] | None = None
    swarm: Mapping[str, Any] | None = field(default=None, repr=False)
    age: int = 0
    now: int = 0

    @property
    def running(self) -> bool:
        return self.engine == "active"


def read_look(host: str, text: str) -> Sight:
    """What ``look.sh`` printed. Raises HostFailed."""
    head, _, rest = text.partition("=\n")
    facts = dict(line.split(" ", 1) for line in head.splitlines() if " " in line)
    answers = dict(_answers(rest))
    common: dict[str, Any] = {
        "host": host,
        "engine": facts.get("engine", "unknown"),
        "stale": facts.get("stale") == "yes",
        "age": int(facts.get("age", 0)),
        "now": int(facts.get("now", 0)),
    }
    certified = _swarm_of(answers)
    if "info" not in answers:
        return Sight(**common, cluster=certified)
    status, info = answers["info"]
    if status != 200 or not isinstance(info, dict):
        raise HostFailed("the Docker engine does not say how it is", where=host, why=str(info)[:200])
    swarm = info.get("Swarm") or {}
    local = str(swarm.get("LocalNodeState", "inactive"))
    cluster = str((swarm.get("Cluster") or {}).get("ID", ""))
    return Sight(
        **common,
        version=str(info.get("ServerVersion", "")),
        # Only a manager's engine says which swarm it is in; every node's certificate does.
        cluster=cluster or (certified if local != "inactive" else ""),
        local=local,
        error=str(swarm.get("Error", "")),
        node=str(swarm.get("NodeID", "")),
        control=bool(swarm.get("ControlAvailable")),
        known_managers=tuple(str(each.get("Addr", "")) for each in swarm.get("RemoteManagers") or ()),
        tasks=len(_good(answers, "tasks") or ()),
        entries=read_nodes(found) if isinstance(found := _good(answers, "nodes"), list) else None,
        swarm=_good(answers, "swarm"),
    )


def read_nodes(raw: Sequence[Mapping[str, Any]]) -> tuple[Entry, ...]:
    """The answer to ``GET /nodes``."""
    return tuple(entry(each) for each in raw)


def entry(raw: Mapping[str, Any]) -> Entry:
    """One node of that answer."""
    manager = raw.get("ManagerStatus") or {}
    description, status = raw.get("Description") or {}, raw.get("Status") or {}
    return Entry(
        id=str(raw["ID"]),
        version=int(raw["Version"]["Index"]),
        spec=Spec.of(raw["Spec"]),
        state=str(status.get("State", "unknown")),
        address=str(status.get("Addr", "")),
        hostname=str(description.get("Hostname", "")),
        engine=str((description.get("Engine") or {}).get("EngineVersion", "")),
        reachability=str(manager.get("Reachability", "")),
        leader=bool(manager.get("Leader")),
        manager_address=str(manager.get("Addr", "")),
        updated=_time(str(raw.get("UpdatedAt", ""))),
    )


def read_tasks(raw: Sequence[Mapping[str, Any]]) -> tuple[Task, ...]:
    """The answer to ``GET /tasks``."""
    return tuple(
        Task(
            id=str(each["ID"]),
            service=str(each.get("ServiceID", "")),
            node=str(each.get("NodeID", "")),
            state=str((each.get("Status") or {}).get("State", "unknown")),
            desired=str(each.get("DesiredState", "")),
            slot=int(each.get("Slot") or 0),
            ports=tuple(_ports(each)),
        )
        for each in raw
    )


def _ports(task: Mapping[str, Any]) -> Iterator[str]:
    """Those of its node that a task has for itself, while it runs."""
    for port in ((task.get("Status") or {}).get("PortStatus") or {}).get("Ports") or ():
        if port.get("PublishMode") == "host" and port.get("PublishedPort"):
            yield f"{port['PublishedPort']}/{port.get('Protocol', 'tcp')}"


def _time(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _swarm_of(answers: Mapping[str, tuple[int, Any]]) -> str:
    """The swarm that a node's certificate was made for: its subject's organisation."""
    text = (_good(answers, "certificate") or {}).get("message", "")
    if "BEGIN CERTIFICATE" not in text:
        return ""
    from cryptography.x509 import load_pem_x509_certificate
    from cryptography.x509.oid import NameOID

    try:
        subject = load_pem_x509_certificate(text.encode()).subject
    except ValueError:
        return ""
    return str(next(iter(subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))).value)


def _answers(text: str) -> Iterator[tuple[str, tuple[int, Any]]]:
    parts = _END.split(text)
    for body, name, status in zip(parts[::3], parts[1::3], parts[2::3], strict=False):
        yield name, (int(status), decode(body))


def _good(answers: Mapping[str, tuple[int, Any]], name: str) -> Any:
    status, data = answers.get(name, (0, None))
    return data if status == 200 else None
