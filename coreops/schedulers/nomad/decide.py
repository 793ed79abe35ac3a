"""What has to be done next so that the hosts become the wanted cluster, for what was seen of all of them. Pure.

First all servers start at once, told how many they are; that file is taken away as soon as they have a leader, so that
no server can ever form a second cluster. What joins later just starts. Then whatever runs with an older program or
other settings is restarted: servers one at a time with a majority standing, the leader last, then clients a few at a
time (a client that restarts leaves its work running).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from coreops.errors import RefusedError
from coreops.schedulers.nomad import settings, versions
from coreops.schedulers.nomad.found import Server, pick
from coreops.schedulers.nomad.seen import NomadSeen
from coreops.schedulers.protocol import Cluster, Move, Settled, Talk

_SHARE = 10


def decide(
    cluster: Cluster,
    seen: Mapping[str, NomadSeen],
    rekey: Callable[[], Talk[None]],
    unlock: Callable[[], Talk[None]],
    forget: Callable[[str], Talk[None]],
) -> Move | Settled:
    """Raises RefusedError before anything is half done. rekey: makes the wanted gossip key the one in use. unlock:
    makes our token known to Nomad's ACLs. forget: takes away the tokens that are not needed beside this one.
    """
    refuse(cluster, seen)
    managers = [seen[host.name] for host in cluster.managers]
    workers = [seen[host.name] for host in cluster.hosts if host.role == "worker" and host.name in seen]
    leading = [each for each in managers if each.servers]
    if not leading:  # while some servers have no ACLs yet, they speak for the cluster
        return _locked(cluster, managers, unlock) or _form(managers)
    known = {server.name: server for each in leading for server in each.servers}
    if ready := [each.host for each in managers if each.first]:
        return Move(title="forget how the cluster was formed", play=("formed",), on=tuple(ready))
    sound = all(_sound(server) for server in known.values() if server.id)
    if sound and (other := [each.host for each in leading if each.rekey]):
        return Move(title="change the key of the servers' gossip", talks={other[0]: rekey})
    if down := [each.host for each in (*managers, *workers) if not each.active]:
        return _start("start", down)
    if missing := [each.host for each in managers if not (each.host in known and _sound(known[each.host]))]:
        return Move(title=f"wait until {', '.join(missing)} votes")
    if lost := [each.host for each in (*managers, *workers) if not (each.answers and each.leader)]:
        return Move(title=f"wait until {', '.join(lost)} knows the leader")
    if late := [each.host for each in managers if each.stale]:
        if not all(each.healthy for each in leading):
            return Move(title="wait until Nomad calls its servers healthy")
        late.sort(key=lambda name: known[name].leader)
        return _restart(late[:1])
    if late := [each.host for each in workers if each.stale]:
        return _restart(late[: max(1, len(workers) // _SHARE)])
    return _forget(managers, forget) or Settled(strays=_strays(cluster, leading))


def refuse(cluster: Cluster, seen: Mapping[str, NomadSeen]) -> None:
    """What must not be touched."""
    for each in seen.values():
        if each.installed and not each.ours:
            raise RefusedError(
                "there is a Nomad that coreops did not install",
                where=each.host,
                why="its unit nomad.service is not coreops's",
                next="drain it, remove its unit and its data, or take the host out of the inventory",
            )
        if each.foreign:
            raise RefusedError(
                "Nomad would read configuration that coreops did not write",
                where=each.host,
                why=", ".join(each.foreign),
                next="move it into nomad_config, or away",
            )
        if each.trouble and "certificate" in each.trouble:
            raise RefusedError(
                "its Nomad belongs to another cluster",
                where=each.host,
                why=each.trouble,
                next="use the inventory (and its pki folder) that this host was set up with",
            )
    _one_cluster(cluster, seen)
    running = [(each.host, each.version or each.current) for each in seen.values() if each.version or each.current]
    versions.check(running, settings.of(cluster.hosts[0]).version)


def _one_cluster(cluster: Cluster, seen: Mapping[str, NomadSeen]) -> None:
    """Servers that follow different leaders are two clusters."""
    found: dict[str, str] = {}
    for host in cluster.managers:
        for server in seen[host.name].servers:
            if server.leader:
                found.setdefault(server.id, host.name)
    if len(found) > 1:
        raise RefusedError(
            "the managers belong to different Nomad clusters",
            where=", ".join(found.values()),
            why="each of them follows a leader of its own",
            next="decide which one is to live; stop nomad.service on the others and move their data away",
        )


def _locked(cluster: Cluster, managers: Sequence[NomadSeen], unlock: Callable[[], Talk[None]]) -> Move | None:
    locked = [each.host for each in managers if each.locked and each.leader]
    if not locked:
        return None
    if not settings.of(cluster.host(locked[0])).acl:
        raise RefusedError(
            "this Nomad has ACLs, and nomad_acl is not set",
            where=locked[0],
            why="without a token nothing can be asked there",
            next="set nomad_acl: true, and put a management token into pki/nomad-token",
        )
    return Move(title="give Nomad's ACLs their first token", talks={locked[0]: unlock})


def _forget(managers: Sequence[NomadSeen], forget: Callable[[str], Talk[None]]) -> Move | None:
    """Old tokens go when all servers use the same new one: with --limit, some may not have it."""
    holder = next((each for each in managers if each.unused), None)
    used = {each.token for each in managers if each.token}
    if holder is None or len(used) > 1:
        return None
    if locked := [each.host for each in managers if not each.token]:
        return Move(title=f"wait until {', '.join(locked)} takes the new token")
    talk = partial(forget, holder.token)
    hosts = tuple(each.host for each in managers)
    return Move(title="take away the tokens before this one", on=hosts, talks={holder.host: talk})


def _form(managers: Sequence[NomadSeen]) -> Move:
    """Nobody knows a leader."""
    idle = [each.host for each in managers if not each.active]
    if not any(each.raft for each in managers):
        if idle:
            hosts = ", ".join(idle)
            return Move(
                title=f"form the cluster: start {hosts} at once", play=("first", "release", "start"), on=tuple(idle)
            )
    elif idle:
        return _start("start", idle)
    log = [f"{each.host}: {line}" for each in managers for line in each.log]
    return Move(title="wait until the servers have elected a leader" + (f" ({'; '.join(log)})" if log else ""))


def _sound(server: Server) -> bool:
    return bool(server.id) and server.voter and server.alive


def _start(word: str, hosts: Sequence[str]) -> Move:
    return Move(title=f"{word} {', '.join(hosts)}", play=("release", "start"), on=tuple(hosts))


def _restart(hosts: Sequence[str]) -> Move:
    title = f"restart {', '.join(hosts)} with its new release or settings"
    return Move(title=title, play=("release", "restart"), on=tuple(hosts))


def _strays(cluster: Cluster, leading: Sequence[NomadSeen]) -> tuple[str, ...]:
    """Nodes and servers that the inventory has not; of two nodes with one name, the older by its id."""
    wanted = set(cluster.names)
    clients = [client for each in leading for client in each.clients]
    names = {client.name if pick(clients, client.name) is client else client.id for client in clients}
    names |= {server.name for each in leading for server in each.servers}
    return tuple(sorted(names - wanted))
