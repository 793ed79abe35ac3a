"""A node's life in a running cluster: cordon, drain, uncordon, remove, with the meaning that kubectl gives these words.
Pure: talks.

A drain asks for evictions, so PodDisruptionBudgets and the pods' own grace periods are kept; DaemonSets' and static
pods stay, as they belong to the node. It ends when the pods are gone. What it will not do, it says before it moves
anything: see ``Limits``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from coreops.errors import HostFailed, RefusedError
from coreops.schedulers.k3s import kubectl, marks
from coreops.schedulers.k3s.kube import ETCD_REMOVE, ETCD_REMOVED, SYSTEM, KubeNode, Pod
from coreops.schedulers.protocol import Mark, Pause, Talk

_ROUND = 1.0
_BLOCKED = 5.0  # as long as kubectl waits before it asks a disruption budget again


@dataclass(frozen=True, slots=True)
class Limits:
    """What a drain may do. scratch: evict pods although their emptyDir volumes go with them; unmanaged: evict pods that
    nothing will start elsewhere.
    """

    scratch: bool = False
    unmanaged: bool = False


def moving(pods: Sequence[Pod]) -> tuple[Pod, ...]:
    """Those of a node's pods that a drain sends away, or waits for."""
    return tuple(pod for pod in pods if not pod.stays and not pod.over)


def cordon(node: str, mark: Mark) -> Talk[None]:
    """One patch."""
    yield from kubectl.change(node, lambda found: marks.cordon(found, mark), f"cordon {node}")


def drain(node: str, mark: Mark, limits: Limits) -> Talk[None]:
    """Evict, and wait until what was evicted has stopped."""
    while True:
        found, pods = yield from kubectl.one(node)
        if found is None:
            raise HostFailed(f"Kubernetes does not know the node {node}")
        marks.fence(found, mark)
        if not found.unschedulable:
            raise HostFailed(
                f"{node} is not cordoned (any more)", why="what is evicted could come back", next="cordon it again"
            )
        left = moving(pods)
        if not left:
            return
        _check(node, left, limits)
        now = tuple(pod for pod in left if not pod.ending)
        refused: Mapping[str, str] = {}
        if now:
            refused = yield from kubectl.evict(now)
        waits = _BLOCKED if len(refused) == len(left) else _ROUND
        yield Pause(tuple(_words(pod, refused) for pod in left), waits)


def drained(node: str) -> Talk[tuple[str, ...]]:
    """What a drain would still have to do."""
    _, pods = yield from kubectl.one(node)
    return tuple(f"{pod} ({pod.state})" for pod in moving(pods))


def uncordon(node: str, mark: Mark) -> Talk[None]:
    """One patch; then the node must be ready, unless it stays cordoned for somebody else."""
    yield from kubectl.change(node, lambda found: marks.uncordon(found, mark), f"uncordon {node}")
    while True:
        found, _ = yield from kubectl.one(node, pods=False)
        if found is None or found.unschedulable or found.ready:
            return
        yield Pause((f"{node} to become ready",), _ROUND)


def remove(node: str) -> Talk[None]:
    """A server's member of k3s's etcd goes first, then the node, then its password (or its name were lost for good)."""
    while True:
        nodes, _ = yield from kubectl.look(pods=False)
        found = next((each for each in nodes if each.name == node), None)
        if found is None:
            yield from kubectl.forget(node)
            return
        refuse_removal(found, nodes)
        if not found.etcd or ETCD_REMOVED in found.annotations:
            yield from kubectl.forget(node)
            return
        yield from kubectl.change(node, _leave_etcd, f"take {node} out of k3s's etcd")
        yield Pause((f"k3s to take {node} out of its etcd",), _ROUND)


def refuse_removal(node: KubeNode, nodes: Sequence[KubeNode]) -> None:
    """Raise RefusedError for a node that still runs, or whose removal needs a quorum that is not there."""
    if node.ready:
        raise RefusedError(
            f"{node.name} still runs",
            why="Kubernetes has it as Ready; a node that is deleted while it runs comes back, or runs what nobody sees",
            next=f"stop k3s there first, or leave {node.name} in the inventory",
        )
    members = [each for each in nodes if each.etcd and ETCD_REMOVED not in each.annotations]
    alive = [each for each in members if each.ready]
    if node in members and len(alive) < len(members) // 2 + 1:
        raise RefusedError(
            f"{node.name} cannot be taken out of k3s's etcd",
            why=f"{len(alive)} of its {len(members)} members are ready, and a change needs {len(members) // 2 + 1}",
            next="bring the servers back first, or restore a snapshot (k3s server --cluster-reset)",
        )


def _leave_etcd(node: KubeNode) -> marks.Patch | None:
    if node.annotations.get(ETCD_REMOVE) == "true" or ETCD_REMOVED in node.annotations:
        return None
    return {"metadata": {"resourceVersion": node.revision, "annotations": {ETCD_REMOVE: "true"}}}


def _check(node: str, left: Sequence[Pod], limits: Limits) -> None:
    stuck = [pod for pod in left if not pod.ending]
    alone = [str(pod) for pod in stuck if pod.owner == ("", "") and not limits.unmanaged]
    if alone:
        raise RefusedError(
            f"{node} runs pods that nothing would start elsewhere: {', '.join(alone)}",
            why="they have no controller (no Deployment, StatefulSet, Job ...), so an eviction is their end",
            next="delete them, give them a controller, or allow it: k3s_drain_unmanaged: true",
        )
    scratch = [str(pod) for pod in stuck if pod.scratch and pod.namespace != SYSTEM and not limits.scratch]
    if scratch:
        raise RefusedError(
            f"{node} runs pods with data in an emptyDir: {', '.join(scratch)}",
            why="that data goes with the pod",
            next="allow it when it is only a cache: k3s_drain_emptydir: true",
        )


def _words(pod: Pod, refused: Mapping[str, str]) -> str:
    return f"{pod} ({refused.get(str(pod), 'Terminating')})"
