"""The adapter itself: each of the protocol's questions, handed to the module that knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from coreops.schedulers.nomad import acl, config, memory, settings
from coreops.schedulers.nomad.api import Api
from coreops.schedulers.nomad.decide import decide
from coreops.schedulers.nomad.found import Client, Server, client, pick
from coreops.schedulers.nomad.gossip import rekey
from coreops.schedulers.nomad.remove import list_servers, remove
from coreops.schedulers.nomad.seen import NomadSeen, look
from coreops.schedulers.nomad.work import Work, running
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


@dataclass(frozen=True, slots=True)
class Nomad:
    """One Nomad cluster. folder, opt: where an agent's configuration and programs are on a node."""

    cluster: Cluster
    folder: str = config.FOLDER
    opt: str = "/opt/nomad"

    def artifacts(self) -> Mapping[str, Artifact]:
        return {host.name: Artifact("nomad", host.arch, settings.of(host).version) for host in self.cluster.hosts}

    def playbook(self) -> str:
        return "nomad"

    def secrets(self) -> Mapping[str, SecretKind]:
        return {config.GOSSIP: "base64", **dict.fromkeys(self.issued(), "uuid")}

    def certificates(self) -> Sequence[Leaf]:
        return [config.leaf(host) for host in self.cluster.hosts]

    def variables(self, archives: Mapping[str, str], pki: str) -> Mapping[str, Any]:
        return config.variables(self.cluster, archives, pki)

    def look(self, host: str) -> Talk[NomadSeen]:
        wanted = self.cluster.host(host)
        data = settings.of(wanted).data_dir
        return look(self._api(host), wanted, self._region, self.folder, data, self.opt)

    def decide(self, seen: Mapping[str, Seen]) -> Move | Settled:
        found = cast(Mapping[str, NomadSeen], seen)
        servers = {server.id for each in found.values() for server in each.servers if server.id}
        api = self._any()
        return decide(
            self.cluster,
            found,
            lambda: rekey(api, self.folder, len(servers)),
            lambda: acl.unlock(api),
            lambda accessor: acl.forget(api, accessor),
        )

    def rotate(self) -> Talk[tuple[str, ...]]:
        """The servers follow the file of the key: ``decide`` has changed over to a new one by now."""
        yield from ()
        return ()

    def renewable(self) -> tuple[str, ...]:
        return (config.GOSSIP,)

    def issued(self) -> tuple[str, ...]:
        return (acl.TOKEN,) if settings.of(self.cluster.hosts[0]).acl else ()

    def issue(self, name: str) -> Talk[bytes]:
        return acl.issue(self._any())

    def where(self, host: str) -> tuple[str, ...]:
        """The servers, the host itself last: it may be about to go."""
        names = [each.name for each in self.cluster.managers]
        return tuple(sorted(names, key=lambda name: name == host))

    def nodes(self) -> Talk[tuple[Node, ...]]:
        api = self._any()
        known = {each.name: each for each in (yield from list_servers(api, self._region))}
        clients = [client(stub) for stub in (yield from api.pages("/v1/nodes"))]
        nodes = []
        for each in clients:
            main = pick(clients, each.name) is each
            server = known.pop(each.name, None) if main else None
            node = self._node(each, server, main)
            nodes.append(node if each.eligible else (yield from self._cordoned(api, each, node)))
        nodes += [self._node(None, server, True) for server in known.values()]
        return tuple(nodes)

    def workloads(self) -> Talk[tuple[Workload, ...]]:
        found = yield from running(self._any())
        return tuple(
            Workload(service=each.job, task=each.name or each.id, host=each.host, state=each.status) for each in found
        )

    def cordon(self, host: str, mark: Mark) -> Talk[None]:
        return self._work(host).cordon(mark)

    def drain(self, host: str, mark: Mark) -> Talk[None]:
        return self._work(host).drain(mark)

    def drained(self, host: str) -> Talk[tuple[str, ...]]:
        return self._work(host).drained()

    def uncordon(self, host: str, mark: Mark) -> Talk[None]:
        return self._work(host).uncordon(mark)

    def remove(self, host: str) -> Talk[None]:
        return remove(self._any(), host, self._region)

    @property
    def api(self) -> Api:
        """Of any server."""
        return self._any()

    @property
    def placing(self) -> dict[str, Any]:
        """What a job has to say so that it may go to any of the nodes."""
        clients = [own for own in map(settings.of, self.cluster.hosts) if own.client]
        pools = {"NodePool": "all"} if any(own.node_pool for own in clients) else {}
        return {"Datacenters": sorted({own.datacenter for own in clients}), **pools}

    @property
    def _region(self) -> str:
        return settings.of(self.cluster.hosts[0]).region

    def _api(self, host: str) -> Api:
        return Api(settings.of(self.cluster.host(host)).http_port, f"{self.folder}/pki")

    def _any(self) -> Api:
        """For talks that any server may hold: they have one port."""
        return self._api(self.cluster.managers[0].name)

    def _work(self, host: str) -> Work:
        own = self._settings(host)
        return Work(self._any(), host, own.drain_deadline, own.drain_system_jobs)

    def _cordoned(self, api: Api, stub: Client, node: Node) -> Talk[Node]:
        """By whom, and what still runs there: asked for few nodes only."""
        found = client((yield from api.get(f"/v1/node/{stub.id}")))
        known = yield from memory.read(api, found)
        left = yield from Work(api, stub.name, 0, self._settings(stub.name).drain_system_jobs).left(found)
        owner = cast(Any, known.owner(found))
        return replace(node, cordoned=owner, running=len(left), drained=bool(owner) and not left and not found.draining)

    def _settings(self, host: str) -> settings.Settings:
        return settings.of(self.cluster.host(host)) if host in self.cluster.names else settings.Settings()

    def _node(self, node: Client | None, server: Server | None, main: bool) -> Node:
        """A client, a server, or both in one agent."""
        name = node.name if node and main else node.id if node else server.name if server else ""
        wanted = name in self.cluster.names
        state = node.status if node else "ready" if server and server.alive else "down"
        if node and state == "ready" and server and not server.alive:
            state = "server down"
        return Node(
            name=name,
            host=name if wanted else "",
            machine=node.id if node else server.id if server else "",
            role="manager" if server else "worker",
            state=state,
            leader=bool(server and server.leader),
            version=(node.version if node else server.version if server else ""),
            labels=node.labels if node else {},
        )


def make(cluster: Cluster) -> Nomad:
    """Raises InputError for what can be seen without a node."""
    settings.check(cluster)
    return Nomad(cluster)


__all__ = ["Nomad", "make"]
