"""The next step on the way to the wanted swarm, for what was seen of all engines. Pure.

Says *what* is to do (see ``steps``); ``swarm`` says it to the engines. Everything that must be refused is refused
first, so that nothing is half done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coreops.errors import InputError, RefusedError
from coreops.schedulers.protocol import Cluster, Host
from coreops.schedulers.swarm import marks, settings, versions
from coreops.schedulers.swarm.settings import Options
from coreops.schedulers.swarm.state import HOST, OURS, Entry, Sight
from coreops.schedulers.swarm.steps import (
    Done,
    Empty,
    Forget,
    Init,
    Join,
    Leave,
    Reopen,
    Restart,
    Revive,
    Settle,
    Start,
    Step,
    Wait,
)

KEYS = "coreops.labels"
"""Which labels of a node came from the inventory, with blanks between: one that is no longer there is taken away."""
_JITTER = 0.5
"""By how many seconds the swarm varies the time between heartbeats; three missing ones make a node down."""
_SLACK = 10.0
"""What a try to register anew may take, and the pause before it."""


def check(cluster: Cluster) -> Options:
    """What can be seen without a node. Raises InputError."""
    managers = [host.name for host in cluster.managers]
    if len(managers) not in (1, 3, 5, 7):
        last = managers[-1] if managers else cluster.hosts[0].name
        raise InputError(
            f"a swarm with {len(managers)} managers is refused" if managers else "the swarm has no manager",
            where=cluster.origin(last, "scheduler_role"),
            why=f"managers are {', '.join(managers)}; an even number survives no more failures than one less, and more"
            " than 7 only slow each other down"
            if managers
            else "hosts of the group store are managers, unless scheduler_role says otherwise",
            next="have 1, 3, 5 or 7; the others are to be scheduler_role: worker",
        )
    seen: dict[str, str] = {}
    for host in cluster.hosts:
        try:
            address = settings.place(host)
        except ValueError as error:
            raise InputError(
                f"{host.name} has no address that a swarm can use",
                where=cluster.origin(host.name, "scheduler_address"),
                why=str(error),
                next="set scheduler_address, or swarm_advertise_address, to the host's IP address",
            ) from error
        if address in seen:
            raise InputError(
                f"{seen[address]} and {host.name} have one address in the swarm",
                where=cluster.origin(host.name, "swarm_advertise_address"),
                why=address,
                next="give each its own",
            )
        seen[address] = host.name
    return settings.options(cluster)


def decide(cluster: Cluster, options: Options, seen: Mapping[str, Sight]) -> Step:
    """The next step. Raises RefusedError."""
    hosts = [host for host in cluster.hosts if host.name in seen]
    view = _View(cluster, options, hosts, seen)
    view.refuse()
    free = [seen[host.name] for host in hosts if seen[host.name].local == "inactive"]
    if resting := [sight.host for sight in (seen[host.name] for host in hosts) if not sight.running]:
        return Start(tuple(resting))
    if old := [sight.host for sight in free if sight.stale]:
        return Restart(tuple(old))
    if not view.members:
        missing = [name for name in cluster.names if name not in seen]
        if missing:
            raise RefusedError(
                "a swarm is not begun while some of its hosts were not looked at",
                why=f"{', '.join(missing)} may have one",
                next="run without --limit",
            )
        return Init(cluster.managers[0].name)
    if view.speaker is None:
        silent = ", ".join(f"{sight.host} ({sight.error or sight.local})" for sight in view.members)
        return Wait(f"the swarm's managers to agree on a leader: {silent}")
    return view.grow() or view.settle() or view.revive() or view.restart() or view.end()


class _View:
    """One look at all hosts, and the questions that steps have about it."""

    def __init__(self, cluster: Cluster, options: Options, hosts: Sequence[Host], seen: Mapping[str, Sight]) -> None:
        self.cluster, self.options, self.hosts, self.seen = cluster, options, hosts, seen
        sights = [seen[host.name] for host in hosts]
        self.members = [sight for sight in sights if sight.local != "inactive"]
        able = [sight for sight in sights if sight.control and sight.entries is not None and sight.swarm is not None]
        self.speaker: Sight | None = next((each for each in able if not each.stale), next(iter(able), None))
        self.entries: tuple[Entry, ...] = (self.speaker.entries or ()) if self.speaker else ()
        self.by_id = {entry.id: entry for entry in self.entries}
        self.swarm: Mapping[str, Any] = (self.speaker.swarm or {}) if self.speaker else {}

    def entry(self, host: str) -> Entry | None:
        """The swarm's entry for what this host is now."""
        return self.by_id.get(self.seen[host].node)

    def refuse(self) -> None:
        """Raise RefusedError for what must not be touched."""
        for host in self.hosts:
            sight = self.seen[host.name]
            if sight.engine == "absent":
                raise RefusedError(
                    "there is no Docker engine",
                    where=host.name,
                    why="the node has no docker.service; a CoreOS image brings one",
                    next="use an image with Docker, or leave this host out of the scheduler",
                )
            if sight.local == "locked":
                raise RefusedError(
                    "the swarm is locked",
                    where=host.name,
                    next="docker swarm unlock; then docker swarm update --autolock=false",
                )
        versions.check(self.cluster, self.seen)
        self._one_swarm()
        if self.swarm:
            self._settings()
        managers = [self.seen[host.name] for host in self.hosts if host.role == "manager"]
        inside = [sight for sight in (self.seen[host.name] for host in self.hosts) if sight.cluster]
        if inside and managers and not any(each.cluster for each in managers):
            known = dict.fromkeys(each for sight in inside for each in sight.known_managers)
            raise RefusedError(
                "its engine is in a swarm that no manager of the inventory is in",
                where=", ".join(sight.host for sight in inside),
                why=f"the managers that it knows: {', '.join(known) or 'none'}",
                next="if nothing there is needed: docker swarm leave --force on it; if managers have lost their disks:"
                " restore /var/lib/docker/swarm on one",
            )

    def _one_swarm(self) -> None:
        found: dict[str, list[str]] = {}
        for sight in (self.seen[host.name] for host in self.hosts):
            if sight.cluster:
                found.setdefault(sight.cluster, []).append(sight.host)
        if len(found) > 1:
            raise RefusedError(
                "the hosts are in different swarms",
                where=", ".join(host for hosts in found.values() for host in hosts),
                why="; ".join(f"{', '.join(hosts)} in {id}" for id, hosts in found.items()),
                next="take those that do not belong here out of the inventory, or docker swarm leave --force on them",
            )
        if self.swarm and OURS not in (self._spec.get("Labels") or {}) and not self.options.adopt:
            raise RefusedError(
                "its engine is in a swarm that coreops has not made",
                where=", ".join(next(iter(found.values()), [])),
                why=f"swarm {self.swarm.get('ID', '')} with {len(self.entries)} nodes",
                next="set swarm_adopt: true to take it over, or let it leave (docker swarm leave --force)",
            )

    def _settings(self) -> None:
        options, have = self.options, self.swarm
        fixed = (
            ("swarm_default_addr_pool", options.addr_pool, tuple(have.get("DefaultAddrPool") or ())),
            ("swarm_default_addr_pool_mask", options.addr_pool_mask, have.get("SubnetSize")),
            ("swarm_data_path_port", options.data_path_port, have.get("DataPathPort") or 4789),
        )
        for variable, wanted, is_ in fixed:
            if wanted is not None and wanted != is_:
                raise RefusedError(
                    f"{variable} cannot be changed to {_words(wanted)}",
                    where=self.cluster.origin(self.cluster.hosts[0].name, variable),
                    why=f"this swarm was made with {_words(is_)}, and a swarm keeps that for its life",
                    next=f"write {_words(is_)}, or make a new swarm",
                )

    def grow(self) -> Step | None:
        """Have every host in the swarm."""
        assert self.speaker is not None
        lost = [s.host for s in self.members if s.node and s.node not in self.by_id and _had_been_in(s)]
        if lost:
            return Leave(tuple(lost))
        out = [host for host in self.hosts if self.seen[host.name].local == "inactive"]
        present = {sight.node for sight in self.members}
        old = [(host, e) for host in self.hosts for e in self.entries if e.id not in present and _was(e, host)]
        if up := [host.name for host, entry in old if entry.state != "down"]:
            return Wait(f"the swarm to notice that {', '.join(up)} has lost its place")
        if old:
            return Forget(self.speaker.host, tuple(entry for _, entry in old))
        if out:
            remotes = tuple(
                e.manager_address for e in self.entries if e.reachability == "reachable" and e.manager_address
            )
            tokens = self.swarm.get("JoinTokens") or {}
            found = {"manager": str(tokens.get("Manager", "")), "worker": str(tokens.get("Worker", ""))}
            return Join(tuple(host.name for host in out), remotes, found)
        if pending := [sight.host for sight in self.members if sight.local == "pending" or not self.entry(sight.host)]:
            return Wait(f"{', '.join(pending)} to be let in")
        return None

    def settle(self) -> Step | None:
        """Labels, roles and settings."""
        assert self.speaker is not None
        changes: dict[str, Mapping[str, Any]] = {}
        for host in self.hosts:
            entry = self.entry(host.name)
            if entry and (change := _change(host, entry)):
                changes[entry.id] = change
        # Those who rise before those who fall: never fewer managers than there were, or shall be.
        if any(change.get("role") == "manager" for change in changes.values()):
            changes = {id: change for id, change in changes.items() if change.get("role") != "worker"}
        elif any(not e.settled for e in self.entries if e.role == "manager"):
            changes = {id: {**change, "role": None} for id, change in changes.items() if change["labels"]}
        elif falling := [id for id, change in changes.items() if change.get("role") == "worker"]:
            for id in falling[1:]:
                changes.pop(id)
        spec = self._wanted_spec()
        if changes or spec:
            return Settle(self.speaker.host, changes, spec)
        return None

    def revive(self) -> Step | None:
        """Swarm's dispatcher has a race: when the heartbeats that it expects of an engine's last life run out in the
        moment in which the engine registers anew, the node is called down and stays so, though its heartbeats are
        heard again. Only another registration mends that; it must not come in such a moment again.

        An agent that can reach a manager registers anew soon after it has missed heartbeats: who has not is stuck. One
        that has been restarted since it was called down, and still is, has another trouble.
        """
        managers = [entry for entry in self.entries if entry.role == "manager"]
        leading = {entry.id for entry in managers if entry.leader}
        now = next((sight.now for sight in self.members if sight.node in leading), 0)
        for sight in self.members:
            entry = self.by_id.get(sight.node)
            if entry is None or entry.state != "down" or sight.local != "active" or not (entry.updated and now):
                continue
            costly = entry in managers and any(e is not entry and e.reachability != "reachable" for e in managers)
            if not costly and sight.age > now - entry.updated > 2 * self._heartbeat + _SLACK:
                return Revive(sight.host, 3 * (self._heartbeat + _JITTER) + 1)
        return None

    def restart(self) -> Step | None:
        """Engines with new settings, one at a time, each emptied before."""
        by_host = {host.name: entry for host in self.hosts if (entry := self.entry(host.name))}
        opened = [name for name, entry in by_host.items() if _emptied(entry)]
        for name in opened:
            if not self.seen[name].stale and by_host[name].settled:
                return Reopen(name)
        if unready := [name for name, entry in by_host.items() if not entry.settled]:
            return Wait(f"{', '.join(unready)} to be ready")
        stale = [name for name in by_host if self.seen[name].stale]
        stale.sort(key=lambda name: (name not in opened, by_host[name].leader))
        if not stale:
            return None
        name = stale[0]
        if by_host[name].spec.availability == "drain" and not self.seen[name].tasks:
            return Restart((name,))
        return Empty(name)

    def end(self) -> Step:
        if self.swarm.get("RootRotationInProgress"):
            return Wait("all nodes to have certificates of the swarm's new CA")
        mine = {sight.node for sight in self.members}
        names = {host.name for host in self.cluster.hosts}
        strays = [entry for entry in self.entries if entry.id not in mine and entry.host not in names]
        return Done(tuple(sorted(entry.name for entry in strays)))

    @property
    def _spec(self) -> Mapping[str, Any]:
        return self.swarm.get("Spec") or {}

    @property
    def _heartbeat(self) -> float:
        """Seconds between an agent's heartbeats."""
        found = (self._spec.get("Dispatcher") or {}).get("HeartbeatPeriod") or 5_000_000_000
        return float(found) / 1e9

    def _wanted_spec(self) -> Mapping[str, Any] | None:
        """The swarm's settings as they shall be, None when they are."""
        spec, options = self._spec, self.options
        wanted = {**spec, "Labels": {**(spec.get("Labels") or {}), OURS: "1"}}
        if options.task_history is not None:
            wanted["Orchestration"] = {
                **spec.get("Orchestration", {}),
                "TaskHistoryRetentionLimit": options.task_history,
            }
        ca = dict(spec.get("CAConfig", {}))
        if options.cert_expiry is not None:
            ca["NodeCertExpiry"] = options.cert_expiry
        if options.ca_rotation is not None and options.ca_rotation > ca.get("ForceRotate", 0):
            ca["ForceRotate"] = options.ca_rotation
        wanted["CAConfig"] = ca
        return wanted if {**spec, "CAConfig": spec.get("CAConfig", {})} != wanted else None


def first_spec(options: Options) -> dict[str, Any]:
    """The settings of a swarm that is begun."""
    spec: dict[str, Any] = {"Labels": {OURS: "1"}}
    if options.task_history is not None:
        spec["Orchestration"] = {"TaskHistoryRetentionLimit": options.task_history}
    if options.cert_expiry is not None:
        spec["CAConfig"] = {"NodeCertExpiry": options.cert_expiry}
    return spec


def labels(host: Host) -> dict[str, str]:
    """What the inventory says of a node."""
    return {HOST: host.name, KEYS: " ".join(sorted(host.labels)), **host.labels}


def _change(host: Host, entry: Entry) -> dict[str, Any] | None:
    wanted, have = labels(host), entry.spec.labels
    stale = set(have.get(KEYS, "").split()) - set(wanted)
    own: dict[str, str | None] = {key: value for key, value in wanted.items() if have.get(key) != value}
    own.update({key: None for key in stale if key in have})
    role = host.role if host.role != entry.role else None
    return {"labels": own, "role": role} if own or role else None


def _emptied(entry: Entry) -> bool:
    memory = entry.spec.memory(marks.DRAIN)
    return memory is not None and memory[0] == "restart"


def _had_been_in(sight: Sight) -> bool:
    """Was the node on the swarm's list when this engine last heard of it? One that manages was, before it could."""
    if sight.control:
        return sight.local in ("active", "error", "pending") and sight.entries is None
    return sight.local in ("active", "error")


def _was(entry: Entry, host: Host) -> bool:
    """Is this entry of what the host was before?"""
    return entry.host == host.name or (
        not entry.host and settings.place(host) in (entry.address, _bare(entry.manager_address))
    )


def _bare(address: str) -> str:
    return address.rpartition(":")[0].strip("[]")


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
