"""What to do next so that the cluster becomes what is wanted: one pure decision, for what was seen of all hosts.

The first server forms the cluster, the others join one by one (k3s's etcd takes one new member at a time), then all
agents at once. What runs with old settings is restarted server by server, then one agent, then the other agents.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from coreops.errors import HostFailed, RefusedError
from coreops.model import ShellStep
from coreops.schedulers.k3s import kubectl, living, marks, refusals, rendering, rotating
from coreops.schedulers.k3s.kube import LABELS, KubeNode
from coreops.schedulers.k3s.looking import Found
from coreops.schedulers.k3s.settings import Node, Plan
from coreops.schedulers.protocol import Move, Settled, Talk, do

_SCRIPT = Path(__file__).with_name("join.sh")
# Stopped first, and waited for: what looks next must not take the old one for the new. Not waited for when it
# starts: a server may need the others. Containers live on.
_START = (
    'systemctl daemon-reload && systemctl enable "$UNIT.service" && '
    'systemctl stop "$UNIT.service" && systemctl start --no-block "$UNIT.service"'
)
_FAILURES = 3  # a node that starts before its server is ready fails once or twice


def decide(plan: Plan, seen: Mapping[str, Found]) -> Move | Settled:
    """Raises RefusedError before anything is half done, HostFailed for a node that cannot start."""
    speaker, nodes = _speaker(plan, seen)
    refusals.check(plan, seen, nodes)
    _failures(plan, seen)
    if nodes is None:
        return _form(plan, seen)
    there = {node.name: node for node in nodes}
    move = (
        rotating.decide(plan, seen, lambda host: _well(plan, seen, host, there), _start)
        or _join_server(plan, seen, there, speaker)
        or _join_agents(plan, seen, there, speaker)
        or _wait(plan, seen, there, speaker)
        or _restart(plan, seen)
        or _label(plan, there, speaker)
    )
    names = {node.name for node in plan.nodes.values()}
    return move or Settled(strays=tuple(name for name in there if name not in names))


def _speaker(plan: Plan, seen: Mapping[str, Found]) -> tuple[str, tuple[KubeNode, ...] | None]:
    """A server whose API answers, and what it says."""
    for host, found in seen.items():
        if plan.nodes[host].server and found.nodes is not None:
            return host, found.nodes
    return "", None


def _failures(plan: Plan, seen: Mapping[str, Found]) -> None:
    for host, found in seen.items():
        if found.fatal and (found.restarts >= _FAILURES or found.active == "failed"):
            raise HostFailed(
                "k3s does not start",
                where=host,
                why=found.fatal,
                next=f"look at its journal (journalctl -u {plan.nodes[host].unit}), then run the same command again",
            )


def _form(plan: Plan, seen: Mapping[str, Found]) -> Move:
    """No API answers: there is no cluster yet, or none of its servers runs."""
    servers = [host for host in seen if plan.nodes[host].server]
    starting = [host for host in servers if seen[host].up and seen[host].joined]
    if starting:
        return Move(title=f"wait for the API of {', '.join(starting)}")
    had = [host for host in servers if seen[host].formed or seen[host].data]
    if plan.store:
        had = [host for host in servers if seen[host].joined]
    lost = [host for host in had if not plan.store and not seen[host].data]
    if had and len(lost) == len(had):
        raise RefusedError(
            "the servers have lost their data",
            where=", ".join(lost),
            why="/var/lib/rancher/k3s/server/db/etcd is gone; a new cluster would forget everything that ran",
            next="restore a snapshot (k3s server --cluster-reset --cluster-reset-restore-path=FILE); or, for a new "
            "cluster, remove /etc/rancher/k3s/formed on these hosts",
        )
    if had:
        again = [host for host in had if host not in lost]
        return Move(
            title=f"start {', '.join(again)}", on=tuple(again), talks={h: partial(_start, plan.nodes[h]) for h in again}
        )
    first = servers[0]
    mode = "store" if plan.store else "first"
    return Move(
        title=f"form the cluster on {first}",
        on=(first,),
        talks={first: partial(_join, plan.nodes[first], mode, "", "")},
    )


def _join_server(plan: Plan, seen: Mapping[str, Found], there: Mapping[str, KubeNode], speaker: str) -> Move | None:
    """One at a time, and only while all that are there are well."""
    for host in seen:
        node, found = plan.nodes[host], seen[host]
        if not node.server or (found.up and found.joined):
            continue
        waits = [name for name in seen if name != host and plan.nodes[name].server and seen[name].up]
        sick = [name for name in waits if not _well(plan, seen, name, there)]
        if sick:
            return Move(title=f"wait for {', '.join(sick)} before {host} joins")
        if found.data or (plan.store and found.joined and found.password):
            return Move(title=f"start {host}", on=(host,), talks={host: partial(_start, node)})
        if node.name in there:
            return _forget([host], plan, there, speaker)
        mode = "store" if plan.store else "join"
        url, cluster = rendering.url(plan, plan.nodes[speaker]), seen[speaker].cluster
        return Move(
            title=f"let {host} join as a server", on=(host,), talks={host: partial(_join, node, mode, url, cluster)}
        )
    return None


def _join_agents(plan: Plan, seen: Mapping[str, Found], there: Mapping[str, KubeNode], speaker: str) -> Move | None:
    out = [host for host in seen if not plan.nodes[host].server and not (seen[host].up and seen[host].joined)]
    again = [host for host in out if seen[host].data and seen[host].joined]
    if again:
        return Move(
            title=f"start {', '.join(again)}", on=tuple(again), talks={h: partial(_start, plan.nodes[h]) for h in again}
        )
    wiped = [host for host in out if plan.nodes[host].name in there]
    if wiped:
        return _forget(wiped, plan, there, speaker)
    if not out:
        return None
    url, cluster = rendering.url(plan, plan.nodes[speaker]), seen[speaker].cluster
    talks = {host: partial(_join, plan.nodes[host], "join", url, cluster) for host in out}
    return Move(title=f"let {', '.join(out)} join as agents", on=tuple(out), talks=talks)


def _forget(hosts: Sequence[str], plan: Plan, there: Mapping[str, KubeNode], speaker: str) -> Move:
    """Nodes that came back without their data: their old selves must go, with the passwords nobody knows any more."""
    names = [plan.nodes[host].name for host in hosts]
    fresh = [name for name in names if name in there and there[name].ready]
    if fresh:
        return Move(title=f"wait until Kubernetes sees that {', '.join(fresh)} was away")

    def talk() -> Talk[None]:
        for name in names:
            yield from living.remove(name)

    return Move(title=f"forget what {', '.join(names)} was before", on=(speaker,), talks={speaker: talk})


def _wait(plan: Plan, seen: Mapping[str, Found], there: Mapping[str, KubeNode], speaker: str) -> Move | None:
    sick = [host for host in seen if not _well(plan, seen, host, there)]
    rejected = [host for host in sick if seen[host].rejected]
    if rejected:
        return _forget(rejected, plan, there, speaker)
    return Move(title=f"wait for {', '.join(sick)} to be ready") if sick else None


def _restart(plan: Plan, seen: Mapping[str, Found]) -> Move | None:
    stale = [host for host, found in seen.items() if found.stale]
    servers = [host for host in stale if plan.nodes[host].server]
    agents = [host for host in stale if not plan.nodes[host].server]
    fresh = any(not plan.nodes[host].server and not found.stale for host, found in seen.items())
    # One agent shows whether the settings are good; pods go on while k3s restarts.
    turn = servers[:1] or (agents if fresh else agents[:1])
    if not turn:
        return None
    return Move(
        title=f"restart {', '.join(turn)} with the new settings", on=tuple(turn),
        talks={host: partial(_start, plan.nodes[host]) for host in turn},
    )  # fmt: skip


def _label(plan: Plan, there: Mapping[str, KubeNode], speaker: str) -> Move | None:
    """A kubelet sets labels only when it registers; later ones, and those that go, are ours to set."""
    wrong = [node for node in plan.nodes.values() if labels(node, there[node.name]) is not None]
    if not wrong:
        return None

    def change(node: Node) -> Callable[[KubeNode], marks.Patch | None]:
        return lambda found: labels(node, found)

    def talk() -> Talk[None]:
        for node in wrong:
            yield from kubectl.change(node.name, change(node), f"label {node.name}")

    return Move(title=f"label {', '.join(node.name for node in wrong)}", on=(speaker,), talks={speaker: talk})


def labels(node: Node, found: KubeNode) -> marks.Patch | None:
    """The patch that gives a node its labels, and takes those that were ours; None when it has them."""
    wanted = {**node.labels}
    text = " ".join(sorted(wanted))
    ours = found.annotations.get(LABELS, "").split()
    change: dict[str, str | None] = {key: value for key, value in wanted.items() if found.labels.get(key) != value}
    change.update({key: None for key in ours if key not in wanted and key in found.labels})
    if not change and (text == found.annotations.get(LABELS, "")):
        return None
    meta = {"resourceVersion": found.revision, "labels": change, "annotations": {LABELS: text or None}}
    return {"metadata": json.loads(json.dumps(meta))}


def _well(plan: Plan, seen: Mapping[str, Found], host: str, there: Mapping[str, KubeNode]) -> bool:
    """Runs, is ready, and as a server answers itself: Kubernetes calls a node ready for a while after it has gone."""
    node, found = there.get(plan.nodes[host].name), seen[host]
    answers = found.nodes is not None or not plan.nodes[host].server
    return node is not None and node.ready and found.active == "active" and answers


def _join(node: Node, mode: str, url: str, cluster: str) -> Talk[None]:
    env = {"UNIT": node.unit, "MODE": mode, "URL": url, "CLUSTER": cluster}
    script = _SCRIPT.read_text(encoding="utf-8")
    yield from do(ShellStep(id="join", title=f"let {node.name} join", act=script, env=env, timeout=180.0))


def _start(node: Node) -> Talk[None]:
    yield from do(
        ShellStep(id="start", title=f"start k3s on {node.name}", act=_START, env={"UNIT": node.unit}, timeout=180.0)
    )
