"""Forgets what is gone: a node that takes no work any more, a server that has died.

A node is purged once Nomad itself calls it down. A server is taken out of raft once the gossip calls it failed, and
only while the servers that are alive are enough without it.
"""

from __future__ import annotations

from urllib.parse import quote

from coreops.errors import RefusedError
from coreops.schedulers.nomad import memory
from coreops.schedulers.nomad.api import Api, Reply
from coreops.schedulers.nomad.found import SERVERS, Server, client, servers
from coreops.schedulers.protocol import Talk
from coreops.store import quorum


def remove(api: Api, word: str, region: str) -> Talk[None]:
    """Runs on a server. ``word``: a host's name, a node's or server's id."""
    known = yield from list_servers(api, region)
    stubs = yield from api.pages("/v1/nodes")
    clients = [each for each in (client(stub) for stub in stubs) if word in (each.name, each.id)]
    dead = [server for server in known if word in (server.name, server.id)]
    for each in clients:
        if not each.gone:
            raise _runs(word, f"its node {each.id} is {each.status}")
    for server in dead:
        _check(server, known)
    for each in clients:
        yield from api.put(f"/v1/node/{each.id}/purge", None, f"purge the node {word}", absent=True)
        yield from memory.forget(api, each.id)
    for server in dead:
        if server.id:
            path = f"/v1/operator/raft/peer?id={server.id}"
            yield from api.put(path, None, f"remove the server {word}", method="DELETE", absent=True)
        if server.status:
            path = f"/v1/agent/force-leave?node={quote(server.name)}.{region}&prune=true"
            yield from api.put(path, None, f"forget the server {word}")


def list_servers(api: Api, region: str) -> Talk[tuple[Server, ...]]:
    """All servers, in raft or only in the gossip. Runs on a server."""
    raft, members = yield from api.several(*SERVERS)
    if not (raft.good and members.good):  # once more, with patience or a reason
        raft, members = Reply(200, (yield from api.get(SERVERS[0]))), Reply(200, (yield from api.get(SERVERS[1])))
    return servers(raft.value, members.value, region)


def _check(server: Server, known: tuple[Server, ...]) -> None:
    if server.alive:
        raise _runs(server.name, "its server answers in the gossip")
    if server.leader:
        raise _runs(server.name, "it leads the servers")
    voters = [each.id for each in known if each.voter]
    alive = [each.id for each in known if each.voter and each.alive]
    if server.voter and not quorum.may_remove(voters, alive, server.id):
        raise RefusedError(
            f"the server {server.name} is not removed",
            why=f"{len(alive)} of {len(voters)} servers are alive: too few to decide, before or after",
            next="bring servers back first",
        )


def _runs(name: str, why: str) -> RefusedError:
    return RefusedError(
        f"{name} still runs", why=why, next=f"stop nomad.service on it and wait until Nomad calls {name} down"
    )
