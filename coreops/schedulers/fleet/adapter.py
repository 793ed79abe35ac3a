"""fleet as a scheduler of coreops: what to install, when it is as wanted, and its nodes and units in our words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any, cast

from coreops.errors import InputError
from coreops.schedulers.fleet import config
from coreops.schedulers.fleet.api import Api
from coreops.schedulers.fleet.look import OLDEST, OPTIONAL, REMOVED, FleetSeen, check, look, mixed, numbers
from coreops.schedulers.fleet.names import KEY
from coreops.schedulers.fleet.talks import Talks
from coreops.schedulers.fleet.view import View, record_of
from coreops.schedulers.protocol import (
    Artifact,
    Cluster,
    Host,
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

AT_ONCE = 10
"""Groups of units (MachineOf) that a drain moves at the same time: one after the other takes ten seconds each."""
CERTIFICATE = Leaf("fleet", "coreops fleet")


@dataclass(frozen=True)
class Fleet:
    """One cluster. api: where fleet is on the nodes."""

    cluster: Cluster
    api: Api = field(default_factory=Api)

    def artifacts(self) -> Mapping[str, Artifact]:
        return {
            host.name: Artifact("fleet", host.arch, host.settings.get("fleet_version", ""), OLDEST)
            for host in self.cluster.hosts
            if _archive(host)
        }

    def playbook(self) -> str:
        return "fleet"

    def secrets(self) -> Mapping[str, SecretKind]:
        return {}

    def certificates(self) -> Sequence[Leaf]:
        return (CERTIFICATE,) if any(url.startswith("https:") for url in self._servers) else ()

    def variables(self, archives: Mapping[str, str], pki: str) -> Mapping[str, Any]:
        nodes = {
            host.name: {
                "conf": config.conf(self.cluster, host),
                "archive": archives.get(host.name, ""),
                "release": _release(archives.get(host.name, "")),
                "from_archive": _archive(host),
            }
            for host in self.cluster.hosts
        }
        return {"fleet_nodes": nodes, "fleet_pki": pki, "fleet_tls": bool(self.certificates())}

    def look(self, host: str) -> Talk[Seen]:
        wanted = self.cluster.host(host).settings.get("fleet_etcd_servers") or self.cluster.store
        return (yield from look(host, wanted, self.api))

    def warnings(self, seen: Mapping[str, Seen]) -> tuple[str, ...]:
        return mixed([cast(FleetSeen, seen[name]) for name in self.cluster.names if name in seen])

    def decide(self, seen: Mapping[str, Seen]) -> Move | Settled:
        """Start fleetd where it does not run; then restart, one after the other, what runs with older settings."""
        found = [cast(FleetSeen, seen[name]) for name in self.cluster.names if name in seen]
        # An archive's version was looked at when it was pinned, and what is there goes.
        archives = {host.name for host in self.cluster.hosts if _archive(host)}
        check([replace(each, version="") if each.host in archives else each for each in found], self._servers)
        missing = [each.host for each in found if not each.program and not _archive(self.cluster.host(each.host))]
        if missing:
            raise InputError(
                "the image has no fleetd",
                where=missing[0] if len(missing) == 1 else ", ".join(missing),
                why="neither /usr/bin/fleetd nor /opt/fleet/current/fleetd is there",
                next="set fleet_install: archive, and pin fleet (its vendor's tar.gz) in artifacts.lock.yml",
            )
        off = tuple(each.host for each in found if not each.active)
        if off:
            return Move(title=f"start fleetd on {', '.join(off)}", play=("start",), on=off)
        stale = next((each.host for each in found if each.stale or not each.socket), "")
        if stale:
            title = f"restart fleetd on {stale} with its new settings (its units go elsewhere meanwhile)"
            return Move(title=title, play=("restart",), on=(stale,))
        known = dict.fromkeys(name for each in found for name in each.nodes)
        return Settled(strays=tuple(name for name in known if name not in self.cluster.names))

    def rotate(self) -> Talk[tuple[str, ...]]:
        """fleet has no secrets of its own."""
        yield from ()
        return ()

    def where(self, host: str) -> tuple[str, ...]:
        """Any host: all know the same. Rather not the one that is about to go."""
        own = (host,) if host in self.cluster.names else ()
        return (*(name for name in self.cluster.names if name != host), *own)

    def nodes(self) -> Talk[tuple[Node, ...]]:
        """fleet itself forgets a machine that is gone: the inventory's hosts are told all the same, until removed."""
        view = yield from self._talks("").view()
        known = dict.fromkeys((*view.nodes, *self.cluster.names))
        return tuple(
            self._node(view, name) for name in known if view.machine(name) or view.note(name).stage != "removed"
        )

    def workloads(self) -> Talk[tuple[Workload, ...]]:
        view = yield from self._talks("").view()
        found = []
        for name, unit in view.units.items():
            if record_of(name) is not None or unit.desired == "inactive":
                continue
            states = {state.machine: state for state in view.states if state.unit == name}
            machines = list(states) if name in view.everywhere else [unit.machine]
            for id in machines:
                state = states[id].active if id in states else ("loading" if id else "waiting")
                found.append(Workload(service=_service(name), task=name, host=view.host(id) or id, state=state))
        return tuple(found)

    def cordon(self, host: str, mark: Mark) -> Talk[None]:
        return self._talks(host).cordon(host, mark)

    def drain(self, host: str, mark: Mark) -> Talk[None]:
        return self._talks(host).drain(host, mark)

    def drained(self, host: str) -> Talk[tuple[str, ...]]:
        return self._talks(host).left(host)

    def uncordon(self, host: str, mark: Mark) -> Talk[None]:
        return self._talks(host).uncordon(host, mark)

    def remove(self, host: str) -> Talk[None]:
        return self._talks(host).remove(host, host in self.cluster.names)

    @property
    def _servers(self) -> tuple[str, ...]:
        own = (host.settings.get("fleet_etcd_servers") or self.cluster.store for host in self.cluster.hosts)
        return tuple(dict.fromkeys(url for urls in own for url in urls))

    def _talks(self, host: str) -> Talks:
        settings = self.cluster.host(host).settings if host in self.cluster.names else {}
        return Talks(self.api, settings.get("fleet_stuck", "refuse"), settings.get("fleet_drain_at_once", AT_ONCE))

    def _node(self, view: View, name: str) -> Node:
        note, ours, machine = view.note(name), name in self.cluster.names, view.machine(name)
        foreign = bool(note.over or (machine and view.foreign(machine.id)))
        return Node(
            name=name,
            host=name if ours else "",
            machine=machine.id if machine else "",
            role=self.cluster.host(name).role if ours else "worker",
            state="ready" if machine else "down",
            cordoned="other" if foreign and note.by != "operator" else note.by,
            drained=note.stage == "drained",
            running=len(view.running(machine.id)) if machine else 0,
            labels={key: value for key, value in machine.metadata.items() if key != KEY} if machine else {},
        )


def make(cluster: Cluster) -> Fleet:
    """Raises InputError for what can be seen without a node."""
    for host in cluster.hosts:
        if not host.settings.get("fleet_etcd_servers") and not cluster.store:
            raise InputError(
                "fleet has no store",
                where=cluster.origin(host.name, "scheduler"),
                why="the inventory has no hosts in the group store, and fleet keeps everything in etcd",
                next="add the group, or name an etcd with the v2 API in fleet_etcd_servers",
            )
        config.conf(cluster, host)
        if not host.settings.get("fleet_etcd_servers"):
            _check_store(cluster, host)
    if all(host.settings.get("fleet_disable_engine", False) for host in cluster.hosts):
        raise InputError(
            "no host would run fleet's engine",
            where=cluster.origin(cluster.hosts[0].name, "fleet_disable_engine"),
            why="without one nothing is ever scheduled",
            next="leave fleet_disable_engine out for some of them",
        )
    ids = {host.settings.get("fleet_token_limit", 100) for host in cluster.hosts}
    if len(ids) > 1:
        raise InputError(
            "fleet_token_limit differs between hosts",
            where=cluster.origin(cluster.hosts[0].name, "fleet_token_limit"),
            why="a list that begins on one host could not go on on another",
            next="set one for all",
        )
    return Fleet(cluster)


def _check_store(cluster: Cluster, host: Host) -> None:
    """The inventory's own store, as it is going to be."""
    for version, flags in cluster.store_wants:
        if version and numbers(version) >= REMOVED:
            raise InputError(
                f"fleet cannot run on etcd {version}",
                where=cluster.origin(host.name, "scheduler"),
                why="fleet speaks etcd's v2 API only, and 3.6 has removed it",
                next="pin etcd 3.5 in artifacts.lock.yml, or move to another scheduler first",
            )
        if version and numbers(version) >= OPTIONAL and flags.get("ETCD_ENABLE_V2") != "true":
            raise InputError(
                f"etcd {version} would not serve the v2 API",
                where=cluster.origin(host.name, "scheduler"),
                why="fleet speaks no other, and since 3.4 it is off unless asked for",
                next="set etcd_flags: {enable-v2: true} for the group store",
            )


def _release(archive: str) -> str:
    """The folder of an archive: two archives never share one. Their files in the cache begin with the SHA-256."""
    return PurePath(archive).name[:12] or "none"


def _archive(host: Host) -> bool:
    return str(host.settings.get("fleet_install", "image")) == "archive"


def _service(unit: str) -> str:
    """``web@1.service`` is a task of ``web``."""
    return unit.rpartition(".")[0].partition("@")[0]
