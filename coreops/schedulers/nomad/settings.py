"""The variables that begin with ``nomad_``: how each is read, what it is when it is not set, and what must agree."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from coreops.errors import InputError
from coreops.schedulers import readers
from coreops.schedulers.protocol import Cluster, Host

Ranges = tuple[tuple[int, int], ...]

OWNED = (
    "acl", "addresses", "advertise", "bind_addr", "client.enabled", "client.meta", "client.node_class",
    "client.node_pool", "client.reserved", "client.server_join", "client.servers", "data_dir", "datacenter",
    "leave_on_interrupt", "leave_on_terminate", "name", "ports", "region", "server.bootstrap_expect", "server.enabled",
    "server.encrypt", "server.retry_join", "server.server_join", "server.start_join", "tls",
)  # fmt: skip
"""Parts of an agent's configuration that coreops writes itself."""

OLDEST = (1, 4)
"""The first release with variables, in which coreops remembers who cordoned a node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one host is to be."""

    version: str = ""
    acl: bool = False
    region: str = "global"
    datacenter: str = "dc1"
    client: bool = True
    data_dir: str = "/var/lib/nomad"
    node_class: str = ""
    node_pool: str = ""
    http_port: int = 4646
    rpc_port: int = 4647
    serf_port: int = 4648
    reserved_ports: Ranges = ((22, 22), (2379, 2380))
    drain_deadline: int = 0
    drain_system_jobs: bool = True
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ports(self) -> tuple[int, int, int]:
        return self.http_port, self.rpc_port, self.serf_port

    @property
    def reserved(self) -> str:
        """All ports that no job may ask for, as Nomad writes them."""
        found = sorted({*self.reserved_ports, *((port, port) for port in self.ports)})
        return ",".join(f"{low}" if low == high else f"{low}-{high}" for low, high in found)


def meta_key(label: str) -> str:
    """Nomad reads keys of metadata in expressions, where only these characters are plain."""
    return re.sub(r"[^A-Za-z0-9_.]", "_", label)


def of(host: Host) -> Settings:
    """A host's settings, with the defaults."""
    return Settings(**{key.removeprefix("nomad_"): value for key, value in host.settings.items()})


def check(cluster: Cluster) -> None:
    """Raises InputError for a cluster that cannot be."""
    managers = cluster.managers
    if not managers:
        raise InputError(
            "a Nomad cluster needs servers, and no host is a manager",
            where=cluster.origin(cluster.names[0], "scheduler"),
            next="set scheduler_role: manager for 1, 3 or 5 hosts, or put them into the group store",
        )
    if len(managers) % 2 == 0:
        raise InputError(
            f"{len(managers)} managers cannot be: their number must be odd",
            where=cluster.origin(managers[-1].name, "scheduler_role"),
            why=f"{', '.join(host.name for host in managers)}: an even server adds a way to fail and no safety",
            next="set scheduler_role: worker for one of them, or add one",
        )
    first = cluster.hosts[0]
    for host in cluster.hosts:
        own = of(host)
        if not own.version:
            raise InputError(
                f"host {host.name} has no nomad_version",
                where=cluster.origin(host.name, "scheduler"),
                why="coreops checks whether a release may follow before it moves anything, so it must know where to go",
                next="set nomad_version for all hosts to what artifacts.lock.yml pins, like 1.7.7",
            )
        for name in ("version", "acl", "region", "http_port", "rpc_port", "serf_port"):
            if getattr(own, name) != getattr(of(first), name):
                raise InputError(
                    f"nomad_{name} differs between {first.name} and {host.name}",
                    where=cluster.origin(host.name, f"nomad_{name}"),
                    why=f"{getattr(of(first), name) or 'not set'}, {getattr(own, name) or 'not set'}: it must be one",
                    next="set it once for all hosts, in group_vars/all.yml",
                )
        named: dict[str, str] = {}
        for label in host.labels:
            other = named.setdefault(meta_key(label), label)
            if other != label:
                raise InputError(
                    f"the labels {other} and {label} are one in Nomad: {meta_key(label)}",
                    where=cluster.origin(host.name, "node_labels"),
                    why="keys of Nomad's metadata are letters, digits, _ and .",
                )
        if len(set(own.ports)) < 3:
            raise InputError(
                "two of Nomad's ports are the same",
                where=cluster.origin(host.name, "nomad_http_port"),
                why=f"http {own.http_port}, rpc {own.rpc_port}, serf {own.serf_port}",
            )
    if not any(of(host).client for host in cluster.hosts):
        raise InputError(
            "no host takes work: nomad_client is false for all of them",
            where=cluster.origin(first.name, "nomad_client"),
            next="set nomad_client: true for the hosts that are to run jobs",
        )


def _word(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", value, re.ASCII):
        raise ValueError(f"it must be a word of letters, digits, - and _, found {value!r:.80}")
    return value


def _label(value: object) -> str:
    """It becomes part of a name in certificates."""
    if not isinstance(value, str) or not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", value, re.ASCII):
        raise ValueError(f"it must be lower-case letters, digits and -, found {value!r:.80}")
    return value


def _version(value: object) -> str:
    found = (
        re.fullmatch(r"(\d+)\.(\d+)\.\d+([-+][0-9A-Za-z.+-]+)?", value, re.ASCII) if isinstance(value, str) else None
    )
    if found is None:
        raise ValueError(f"it must look like '1.7.7', found {value!r:.80}")
    if (int(found[1]), int(found[2])) < OLDEST:
        raise ValueError(
            f"coreops needs Nomad {'.'.join(map(str, OLDEST))} or newer: it remembers in Nomad's variables who "
            f"cordoned a node; found {value}"
        )
    return str(value)


def _port(value: object) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,5}", str(value)) or not 0 < int(str(value)) < 65536:
        raise ValueError(f"it must be a port, found {value!r:.80}")
    return int(str(value))


def _ranges(value: object) -> Ranges:
    texts = value if isinstance(value, list) else str(value).split(",") if isinstance(value, str | int) else None
    if texts is None or isinstance(value, bool):
        raise ValueError(f"it must be ports and ranges of ports, like 22,2379-2380, found {value!r:.80}")
    found = []
    for each in texts:
        low, _, high = str(each).strip().partition("-")
        ends = _port(low), _port(high or low)
        if ends[0] > ends[1]:
            raise ValueError(f"the range {each} ends before it begins")
        found.append(ends)
    return tuple(found)


def _folder(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"(/[A-Za-z0-9_][A-Za-z0-9_.-]*){2,}", value, re.ASCII):
        raise ValueError(f"it must be a plain absolute path at least two levels deep, found {value!r:.80}")
    if value.startswith("/usr/"):
        raise ValueError(f"/usr cannot be written on these nodes, found {value!r}")
    return value


def _seconds(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 7 * 86400:
        raise ValueError(f"it must be seconds, 0 (work is never forced to stop) to a week, found {value!r:.80}")
    return value


def _config(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"it must be a mapping as in Nomad's JSON configuration, found {value!r:.80}")
    for owned in OWNED:
        part: Any = value
        for key in owned.split("."):
            part = part.get(key) if isinstance(part, Mapping) else None
        if part is not None:
            raise ValueError(f"coreops sets {owned} itself" + ("; say nomad_acl: true" if owned == "acl" else ""))
    return value


VARIABLES: Mapping[str, Callable[[object], Any]] = {
    "nomad_acl": readers.flag,
    "nomad_client": readers.flag,
    "nomad_config": _config,
    "nomad_data_dir": _folder,
    "nomad_datacenter": _word,
    "nomad_drain_deadline": _seconds,
    "nomad_drain_system_jobs": readers.flag,
    "nomad_http_port": _port,
    "nomad_node_class": _word,
    "nomad_node_pool": _word,
    "nomad_region": _label,
    "nomad_reserved_ports": _ranges,
    "nomad_rpc_port": _port,
    "nomad_serf_port": _port,
    "nomad_version": _version,
}
