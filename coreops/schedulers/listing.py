"""All hosts of an inventory, and all nodes of its scheduler, as one list. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from coreops.schedulers.protocol import Cluster, Node, Workload

MISSING = "missing"
APART = "apart"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One host. state: the scheduler's word for it; ``missing``: it does not know the host; ``apart``: it need not.

    stray: a node that the inventory does not have. running: tasks, None when that is not known.
    """

    host: str
    role: str = ""
    state: str
    cordoned: str = ""
    drained: bool = False
    leader: bool = False
    version: str = ""
    running: int | None = None
    zone: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    stray: bool = False


def counted(nodes: Sequence[Node], workloads: Sequence[Workload]) -> tuple[Node, ...]:
    """Nodes that did not say how many tasks they run, with the number of those that were listed for them."""
    number = Counter(each.host for each in workloads)
    return tuple(
        replace(node, running=number[node.host or node.name]) if node.running is None else node for node in nodes
    )


def rows(hosts: Sequence[str], cluster: Cluster, nodes: Sequence[Node]) -> tuple[Row, ...]:
    """Every host in inventory order, then the strays. Of two nodes of one host, the one that is ready counts."""
    known: dict[str, Node] = {}
    strays = []
    for node in nodes:
        if not node.host or node.host not in hosts:
            strays.append(node)
        elif node.host not in known or known[node.host].state != "ready":
            if node.host in known:
                strays.append(known[node.host])
            known[node.host] = node
        else:
            strays.append(node)
    found = []
    for host in hosts:
        if host in known:
            found.append(_row(host, known[host], cluster))
        elif host in cluster.names:
            wanted = cluster.host(host)
            found.append(Row(host=host, role=wanted.role, state=MISSING, zone=wanted.zone, labels=_own(wanted.labels)))
        else:
            found.append(Row(host=host, state=APART))
    return (*found, *(_row(node.name, node, cluster, stray=True) for node in strays))


def open_nodes(nodes: Sequence[Node]) -> tuple[str, ...]:
    """The hosts that take work."""
    return tuple(node.host or node.name for node in nodes if node.state == "ready" and not node.cordoned)


def _row(host: str, node: Node, cluster: Cluster, *, stray: bool = False) -> Row:
    zone = node.labels.get("zone", "")
    if not zone and not stray and host in cluster.names:
        zone = cluster.host(host).zone
    return Row(
        host=host,
        role=node.role,
        state=node.state,
        cordoned=node.cordoned,
        drained=node.drained,
        leader=node.leader,
        version=node.version,
        running=node.running,
        zone=zone,
        labels=_own(node.labels),
        stray=stray,
    )


def _own(labels: Mapping[str, str]) -> dict[str, str]:
    """Without those that coreops sets itself."""
    return {key: value for key, value in labels.items() if key != "zone" and not key.startswith("coreops")}
