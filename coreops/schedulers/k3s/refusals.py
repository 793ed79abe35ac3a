"""What must not be done to the nodes that were found: told before anything is half done. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from coreops.errors import InputError, RefusedError
from coreops.schedulers.k3s import versions
from coreops.schedulers.k3s.kube import KubeNode
from coreops.schedulers.k3s.looking import Found
from coreops.schedulers.k3s.settings import Plan


def check(plan: Plan, seen: Mapping[str, Found], nodes: tuple[KubeNode, ...] | None) -> None:
    """Raise RefusedError for the first thing that forbids going on."""
    for host, found in seen.items():
        _host(plan, host, found)
    _one_cluster(plan, seen)
    _skew(plan, seen)
    if nodes is not None:
        _names(plan, seen, {node.name: node for node in nodes})


def _host(plan: Plan, host: str, found: Found) -> None:
    node = plan.nodes[host]
    if found.readonly:
        raise InputError(
            f"{found.readonly} cannot be written",
            where=host,
            why="on this node it is part of the read-only system",
            next="leave k3s_bin_dir out (/opt/bin), or name a folder that can be written",
        )
    if found.foreign:
        raise RefusedError(
            "k3s was installed here by something else",
            where=host,
            why=f"{found.foreign}.service is not coreops's",
            next=f"remove it with {found.foreign}-uninstall.sh (its data goes with it), or leave the host out",
        )
    if found.other:
        raise RefusedError(
            f"{host} is to become a {'server' if node.server else 'worker'}, and has {found.other}.service",
            where=host,
            why="k3s cannot change its role in place",
            next=f"drain it, remove {found.other}.service and /var/lib/rancher/k3s there, then run again",
        )
    if found.token == "other":
        raise RefusedError(
            "the token is another cluster's",
            where=host,
            why="what pki/k3s-token holds is not what the cluster on this node was made with",
            next="restore pki/k3s-token from a backup (the node has it in /var/lib/rancher/k3s/server/token)",
        )
    if found.agents == "other":
        raise RefusedError(
            "k3s cannot change the token that agents join with",
            where=host,
            why="pki/k3s-agent-token holds another one than the cluster: a server that was restarted with it would not "
            "start a second time",
            next="restore pki/k3s-agent-token from a backup (servers have it in "
            "/var/lib/rancher/k3s/server/agent-token)",
        )


def _one_cluster(plan: Plan, seen: Mapping[str, Found]) -> None:
    """All that are in a cluster are in one, and it is that of the servers."""
    clusters: dict[str, list[str]] = {}
    for host in sorted(seen, key=lambda name: not plan.nodes[name].server):
        if seen[host].cluster:
            clusters.setdefault(seen[host].cluster, []).append(host)
    if len(clusters) > 1:
        parts = [f"{', '.join(hosts)} in {cluster[:12]}" for cluster, hosts in clusters.items()]
        raise RefusedError(
            "the hosts are in different k3s clusters",
            where=", ".join(next(reversed(clusters.values()))),
            why="; ".join(parts) + " (the beginning of each authority's hash)",
            next="take the hosts of the other cluster out of the inventory, or remove k3s and its data from them",
        )
    founded = any(found.joined for host, found in seen.items() if plan.nodes[host].server)
    for hosts in clusters.values():
        if not founded and not any(plan.nodes[host].server for host in hosts):
            raise RefusedError(
                "agents are in a cluster that none of the servers has",
                where=", ".join(hosts),
                why="the servers have no data, so the cluster of these agents is another one",
                next="remove k3s and /var/lib/rancher/k3s from the agents, or restore the servers' data",
            )


def _skew(plan: Plan, seen: Mapping[str, Found]) -> None:
    wanted = plan.servers[0].version
    for host, found in seen.items():
        node = plan.nodes[host]
        running = found.running
        if running is None:
            continue
        why = versions.server_step(running, node.version) if node.server else ""
        if not node.server and node.version.minors < running.minors:
            why = f"it runs {running}, and a kubelet does not go back to an older minor version"
        why = why or ("" if node.server else versions.beside(running, wanted))
        if why:
            raise RefusedError(
                f"{host} cannot go to {node.version if node.server else wanted}",
                where=host,
                why=why,
                next="go one minor version at a time: first the servers, then the agents",
            )


def _names(plan: Plan, seen: Mapping[str, Found], nodes: Mapping[str, KubeNode]) -> None:
    """A machine that is alive under a name of ours, and is not ours."""
    for host, found in seen.items():
        there = nodes.get(plan.nodes[host].name)
        if there and there.ready and found.machine and there.machine and there.machine != found.machine:
            raise RefusedError(
                f"another machine is the node {there.name}",
                where=host,
                why=f"it is ready, and its machine-id is {there.machine}; that of {host} is {found.machine}",
                next="two machines cannot have one name: rename one of them",
            )
