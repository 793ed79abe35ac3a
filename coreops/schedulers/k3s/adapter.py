"""k3s as one of the schedulers: puts the parts of this package behind the protocol. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coreops.schedulers.k3s import joining, kubectl, living, looking, marks, rendering, rotating
from coreops.schedulers.k3s.settings import Plan
from coreops.schedulers.protocol import (
    Artifact,
    Cluster,
    Mark,
    Move,
    Node,
    SecretKind,
    Seen,
    Settled,
    Talk,
    Workload,
)
from coreops.store.pki import Leaf


class K3s:
    """One k3s cluster. Questions about it go to servers, the one that they are about last."""

    def __init__(self, cluster: Cluster, plan: Plan) -> None:
        self.cluster = cluster
        self.plan = plan
        self._hosts = {node.name: host for host, node in plan.nodes.items()}

    def artifacts(self) -> Mapping[str, Artifact]:
        """The vendor's binary, for every host in its own version."""
        return {host: Artifact("k3s", node.arch, str(node.version)) for host, node in self.plan.nodes.items()}

    def carried(self) -> Mapping[str, Artifact]:
        """The vendor's images, for hosts that cannot pull them."""
        nodes = self.plan.nodes.items()
        return {host: Artifact(rendering.IMAGES, node.arch, str(node.version)) for host, node in nodes if node.images}

    def playbook(self) -> str:
        """Its name."""
        return "k3s.yml"

    def secrets(self) -> Mapping[str, SecretKind]:
        """The token of servers and that of agents: who has an agent's cannot join as a server."""
        return {rendering.SERVER_TOKEN: "hex", rendering.AGENT_TOKEN: "hex"}

    def certificates(self) -> Sequence[Leaf]:
        """What servers show to the store, when their data is there."""
        return (rendering.STORE_LEAF,) if self.plan.store else ()

    def variables(self, archives: Mapping[str, str], pki: str) -> Mapping[str, Any]:
        """What the playbook sees."""
        return rendering.variables(self.plan, archives, pki)

    def look(self, host: str) -> Talk[Seen]:
        """How k3s is on the host; on a server, also what Kubernetes says."""
        return (yield from looking.look(host, self.plan.nodes[host]))

    def decide(self, seen: Mapping[str, Seen]) -> Move | Settled:
        """The first server, the other servers one by one, then all agents."""
        return joining.decide(self.plan, {host: looking.own(each) for host, each in seen.items()})

    def rotate(self) -> Talk[tuple[str, ...]]:
        """The servers follow the file of their token: ``decide`` has changed over to a new one by now."""
        yield from ()
        return ()

    def renewable(self) -> tuple[str, ...]:
        """The servers' token. Raises RefusedError for an old k3s."""
        rotating.check(self.plan)
        return (rendering.SERVER_TOKEN,)

    def fixed(self) -> Mapping[str, str]:
        """The token that agents join with: see ``rotating``."""
        why = "k3s has no way to change the token that agents join with (docs/k3s.md)"
        return {rendering.AGENT_TOKEN: why}

    def remembered(self) -> tuple[str, ...]:
        """The servers' token: snapshots from before need it, and it shows that a server is on the way."""
        return (rendering.SERVER_TOKEN,)

    def where(self, host: str) -> tuple[str, ...]:
        """All servers; the host itself last, because it may be about to go."""
        return tuple(sorted((server.name for server in self.cluster.managers), key=lambda name: name == host))

    def nodes(self) -> Talk[tuple[Node, ...]]:
        """All nodes. running: the pods that a drain would move."""
        found, pods = yield from kubectl.look()
        loads: dict[str, int] = {}
        for pod in living.moving(pods):
            loads[pod.node] = loads.get(pod.node, 0) + 1
        return tuple(
            Node(
                name=node.name,
                host=self._hosts.get(node.name, ""),
                machine=node.machine,
                role="manager" if node.server else "worker",
                state="ready" if node.ready else "down",
                cordoned=marks.cordoned(node),
                drained=node.unschedulable and not loads.get(node.name),
                version=node.version,
                running=loads.get(node.name, 0),
                labels=node.labels,
            )
            for node in found
        )

    def workloads(self) -> Talk[tuple[Workload, ...]]:
        """All pods that are not over."""
        _, pods = yield from kubectl.look()
        return tuple(
            Workload(service=pod.service, task=str(pod), host=self._hosts.get(pod.node, pod.node), state=pod.state)
            for pod in pods
            if not pod.over
        )

    def cordon(self, host: str, mark: Mark) -> Talk[None]:
        """spec.unschedulable and who asked for it, in one patch."""
        yield from living.cordon(self._node(host), mark)

    def drain(self, host: str, mark: Mark) -> Talk[None]:
        """Evictions, until the pods are gone."""
        limits = living.Limits(scratch=self.plan.scratch, unmanaged=self.plan.unmanaged)
        yield from living.drain(self._node(host), mark, limits)

    def drained(self, host: str) -> Talk[tuple[str, ...]]:
        """What a drain would still move."""
        return (yield from living.drained(self._node(host)))

    def uncordon(self, host: str, mark: Mark) -> Talk[None]:
        """Undo, and wait until the node is ready."""
        yield from living.uncordon(self._node(host), mark)

    def remove(self, host: str) -> Talk[None]:
        """Its member of k3s's etcd, the node, and the node's password."""
        yield from living.remove(self._node(host))

    def _node(self, host: str) -> str:
        """The node's name of a host, or a stray's own."""
        return self.plan.nodes[host].name if host in self.plan.nodes else host
