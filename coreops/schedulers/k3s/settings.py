"""The variables that begin with ``k3s_``: what each may be, and what the wanted cluster makes of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from coreops.errors import InputError
from coreops.schedulers import readers
from coreops.schedulers.k3s import versions
from coreops.schedulers.k3s.kube import NAME
from coreops.schedulers.k3s.versions import Version
from coreops.schedulers.protocol import Cluster, Host

PACKAGED = ("coredns", "local-storage", "metrics-server", "runtimes", "servicelb", "traefik")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")

# Servers with different values do not join, or make a cluster that works by half (k3s's documentation says which).
SAME = (
    "cluster-cidr", "cluster-dns", "cluster-domain", "disable-cloud-controller", "disable-helm-controller",
    "disable-network-policy", "egress-selector-mode", "embedded-registry", "flannel-backend", "flannel-external-ip",
    "flannel-ipv6-masq", "secrets-encryption", "service-cidr",
)  # fmt: skip

# What coreops writes itself, and what must not stand in a file that is no secret.
_OWNED = re.compile(
    r"node-name|node-label|node-taint|server|cluster-(init|reset.*)|token(-file)?|agent-token(-file)?|tls-san|disable|"
    r"datastore-.*|docker|data-dir|config|write-kubeconfig-mode|rootless|with-node-id|prefer-bundled-bin"
)
_SECRET = re.compile(r".*(secret-key|password|access-key|token)$")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?", re.ASCII)
_LABEL_NAME = re.compile(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", re.ASCII)
_TAINT = re.compile(r"(?P<key>[^=:]+)(=(?P<value>[^=:]*))?:(?P<effect>[A-Za-z]+)")

# A kubelet does not start with other labels of these domains.
_DOMAINS = re.compile(r"(.*\.)?(kubernetes|k8s)\.io")
_OPEN = re.compile(r"(.*\.)?(kubelet|node)\.kubernetes\.io/.*|topology\.kubernetes\.io/(region|zone)")
ZONE = "topology.kubernetes.io/zone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One host, as its k3s shall be."""

    name: str
    address: str
    arch: str
    server: bool
    version: Version
    labels: Mapping[str, str]
    taints: tuple[str, ...] = ()
    bin_dir: str = "/opt/bin"
    images: bool = False
    sans: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()
    docker: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        return "k3s" if self.server else "k3s-agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The cluster. store: URLs of the inventory's etcd, () for k3s's own. url: where nodes join, "" for a server's."""

    nodes: Mapping[str, Node]
    store: tuple[str, ...]
    url: str = ""
    scratch: bool = False
    unmanaged: bool = False

    @property
    def servers(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes.values() if node.server)

    @property
    def agents(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes.values() if not node.server)


def plan(cluster: Cluster) -> Plan:
    """What the inventory wants. Raises InputError for what cannot be a cluster."""
    made: dict[str, Node] = {}
    for host in cluster.hosts:
        node = _node(cluster, host)
        twin = next((name for name, other in made.items() if other.name == node.name), None)
        if twin is not None:
            raise InputError(
                f"hosts {twin} and {host.name} would be one node",
                where=cluster.origin(host.name, "scheduler"),
                why=f"Kubernetes knows only lower case: both are {node.name}",
                next="rename one of them",
            )
        made[host.name] = node
    servers = {name: node for name, node in made.items() if node.server}
    if not servers:
        raise InputError(
            "k3s has no server",
            where=cluster.origin(cluster.names[0], "scheduler_role"),
            why="no host of it is in the group store, and none has scheduler_role: manager",
            next="set scheduler_role: manager for an odd number of hosts",
        )
    _versions(cluster, made, servers)
    _same(cluster, servers)
    first = next(iter(servers))
    embedded = _common(cluster, "k3s_datastore", "store" if cluster.store else "embedded") == "embedded"
    if embedded:
        _embedded(cluster, servers)
    elif not cluster.store:
        raise InputError(
            "k3s has no store",
            where=cluster.origin(first, "k3s_datastore"),
            why="k3s_datastore is store, and the inventory has no group store",
            next="leave it out: k3s runs its own etcd then",
        )
    return Plan(
        nodes=made,
        store=() if embedded else tuple(cluster.store),
        url=_common(cluster, "k3s_server_url", ""),
        scratch=_common(cluster, "k3s_drain_emptydir", False),
        unmanaged=_common(cluster, "k3s_drain_unmanaged", False),
    )


def _node(cluster: Cluster, host: Host) -> Node:
    name, own = host.name.lower(), host.settings
    if not NAME.fullmatch(name) or len(name) > 63:
        raise InputError(
            f"host {host.name!r:.80} cannot be a node of Kubernetes",
            where=cluster.origin(host.name, "scheduler"),
            why="such a name has letters, digits, '-' and '.', at most 63 of them",
            next="rename the host in the inventory",
        )
    if "k3s_version" not in own:
        raise InputError(
            f"host {host.name} has no k3s_version",
            where=cluster.origin(host.name, "scheduler"),
            why="coreops checks the version skew before it moves anything, so it must know where to go",
            next="set k3s_version for all hosts to what artifacts.lock.yml pins, like v1.32.4+k3s1",
        )
    server = host.role == "manager"
    return Node(
        name=name,
        address=host.address,
        arch=host.arch,
        server=server,
        version=own["k3s_version"],
        labels=_labels(cluster, host),
        taints=own.get("k3s_taints", ()),
        bin_dir=own.get("k3s_bin_dir", "/opt/bin"),
        images=own.get("k3s_images", False),
        sans=tuple(dict.fromkeys((host.address, name, *own.get("k3s_tls_san", ())))) if server else (),
        disable=own.get("k3s_disable", ()) if server else (),
        docker=own.get("k3s_docker", False),
        config=own.get("k3s_config", {}),
    )


def _labels(cluster: Cluster, host: Host) -> dict[str, str]:
    labels = {key: value for key, value in host.labels.items() if key != "zone"}
    if host.zone:
        labels[ZONE] = host.zone
    for key, value in labels.items():
        domain = key.partition("/")[0] if "/" in key else ""
        why = ""
        if not _LABEL_NAME.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            why = f"Kubernetes has no label {key}={value}: at most 63 letters, digits, '-', '_' and '.'"
        elif _DOMAINS.fullmatch(domain) and not _OPEN.fullmatch(key):
            why = f"a kubelet must not set labels of {domain} (a node could make itself a server)"
        if why:
            where = cluster.origin(host.name, "zone" if key == ZONE else "node_labels")
            raise InputError(f"host {host.name} cannot have the label {key}", where=where, why=why, next="rename it")
    return labels


def _versions(cluster: Cluster, nodes: Mapping[str, Node], servers: Mapping[str, Node]) -> None:
    first, head = next(iter(servers.items()))
    for name, node in nodes.items():
        where = cluster.origin(name, "k3s_version")
        if node.version.minors < versions.OLDEST:
            raise InputError(
                f"k3s {node.version} is too old", where=where, next="v1.22 is the oldest that is supported"
            )
        if node.server and node.version != head.version:
            raise InputError(
                f"the servers {first} and {name} want two versions",
                where=where,
                why=f"{head.version} and {node.version}",
                next="give all servers one k3s_version",
            )
        if why := versions.beside(node.version, head.version):
            raise InputError(f"k3s_version of {name} is not usable", where=where, why=why, next="upgrade in steps")


def _embedded(cluster: Cluster, servers: Mapping[str, Node]) -> None:
    stores = {urlsplit(url).hostname for url in cluster.store}
    for name, node in servers.items():
        if node.address in stores:
            raise InputError(
                f"host {name} cannot run two etcds",
                where=cluster.origin(name, "k3s_datastore"),
                why="it is in the group store, and k3s's own etcd needs the same ports (2379 and 2380)",
                next="leave k3s_datastore out: k3s keeps its data in the store then; or run its servers on other hosts",
            )
    if len(servers) % 2 == 0:
        raise InputError(
            f"{len(servers)} servers with k3s's own etcd",
            where=cluster.origin(list(servers)[-1], "scheduler_role"),
            why=f"they survive no more failures than {len(servers) - 1} would",
            next="make it an odd number: scheduler_role: worker for one, or manager for one more",
        )


def _same(cluster: Cluster, servers: Mapping[str, Node]) -> None:
    first, head = next(iter(servers.items()))
    for name, node in servers.items():
        differ = [key for key in SAME if node.config.get(key) != head.config.get(key)]
        if ("servicelb" in node.disable) != ("servicelb" in head.disable):
            differ.append("disable: servicelb")
        if differ:
            raise InputError(
                f"the servers {first} and {name} differ in {', '.join(differ)}",
                where=cluster.origin(name, "k3s_config"),
                why="all servers of a cluster must agree on it",
                next="set it for the group of all servers",
            )


def _common(cluster: Cluster, variable: str, default: Any) -> Any:
    """A variable of the whole cluster: whoever has it must agree."""
    found = {host.name: host.settings[variable] for host in cluster.hosts if variable in host.settings}
    first = next(iter(found), None)
    for name, value in found.items():
        if first is not None and value != found[first]:
            raise InputError(
                f"hosts {first} and {name} differ in {variable}",
                where=cluster.origin(name, variable),
                why="it is a matter of the whole cluster",
                next="set it once, for all of its hosts",
            )
    return default if first is None else found[first]


def _version(value: object) -> Version:
    text = readers.text(value)
    found = versions.parse(text)
    if found is None:
        raise ValueError(f"it must look like v1.32.4+k3s1, found {text!r:.80}")
    return found


def _folder(value: object) -> str:
    text = readers.text(value)
    if not re.fullmatch(r"(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+", text, re.ASCII):
        raise ValueError(f"it must be a plain absolute path, found {text!r:.80}")
    return text


def _images(value: object) -> bool:
    if isinstance(value, str):
        raise ValueError(f"it must be true: artifacts.lock.yml pins them, as k3s-images; found {value!r:.80}")
    return readers.flag(value)


def _list(read: Callable[[object], str]) -> Callable[[object], tuple[str, ...]]:
    def each(value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise ValueError(f"it must be a list, found {value!r:.80}")
        return tuple(read(item) for item in value)

    return each


def _san(value: object) -> str:
    text = readers.text(value)
    if not re.fullmatch(r"[A-Za-z0-9_.:-]+", text, re.ASCII):
        raise ValueError(f"{text!r:.80} is no address and no host name")
    return text


def _taint(value: object) -> str:
    text = readers.text(value)
    found = _TAINT.fullmatch(text)
    if not found or found["effect"] not in EFFECTS or not _LABEL_NAME.fullmatch(found["key"]):
        raise ValueError(f"a taint looks like key=value:{'|'.join(EFFECTS)}, found {text!r:.80}")
    return text


def _url(value: object) -> str:
    text = readers.text(value)
    try:
        parts = urlsplit(text)
        usable = parts.scheme == "https" and bool(parts.hostname) and parts.port is not None
    except ValueError:
        usable = False
    if not usable or parts.path not in ("", "/") or parts.query or "@" in text:
        raise ValueError(f"it must look like https://k3s.example.net:6443, found {text!r:.80}")
    return text.rstrip("/")


def _config(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"it must be a mapping of k3s's options to values, found {value!r:.80}")
    made: dict[str, Any] = {}
    for key, each in value.items():
        name = str(key).removeprefix("--").removesuffix("+")
        if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
            raise ValueError(f"{key!r:.80} is not an option of k3s")
        if _OWNED.fullmatch(name):
            raise ValueError(f"coreops sets {name} itself")
        if _SECRET.fullmatch(name):
            raise ValueError(f"{name} is a secret, and this is no place for one; give it to k3s in a file of your own")
        items = each if isinstance(each, list) else [each]
        if any(isinstance(item, list | dict) or item is None for item in items):
            raise ValueError(f"{name} must be a text, a number, true or false, or a list of texts")
        made[name] = each
    return dict(sorted(made.items()))


VARIABLES: Mapping[str, Callable[[object], Any]] = {
    "k3s_bin_dir": _folder,
    "k3s_config": _config,
    "k3s_datastore": readers.choice(("store", "embedded")),
    "k3s_disable": _list(readers.choice(PACKAGED)),
    "k3s_docker": readers.flag,
    "k3s_drain_emptydir": readers.flag,
    "k3s_drain_unmanaged": readers.flag,
    "k3s_images": _images,
    "k3s_server_url": _url,
    "k3s_taints": _list(_taint),
    "k3s_tls_san": _list(_san),
    "k3s_version": _version,
}
