"""Docker Swarm as a scheduler: says to the engines what ``decide`` and ``marks`` have found out. Pure: makes steps.

All requests go to the engine's API over its socket on the node; a token is never an argument of a program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, assert_never

from coreops.errors import HostFailed, RefusedError
from coreops.model import ShellStep
from coreops.schedulers.protocol import (
    Artifact,
    Cluster,
    Mark,
    Move,
    Node,
    Pause,
    SecretKind,
    Seen,
    Settled,
    Talk,
    Workload,
    do,
)
from coreops.schedulers.swarm import decide as rules
from coreops.schedulers.swarm import engine, marks, settings, steps, talks, versions
from coreops.schedulers.swarm.marks import Spec
from coreops.schedulers.swarm.settings import Options
from coreops.schedulers.swarm.state import Entry, Sight, entry, read_look
from coreops.store.pki import Leaf

_LOOK = Path(__file__).with_name("look.sh")


def make(cluster: Cluster) -> Swarm:
    """Raises InputError."""
    return Swarm(cluster, rules.check(cluster))


@dataclass(frozen=True)
class Swarm:
    """One wanted swarm."""

    cluster: Cluster
    options: Options = field(default_factory=Options)

    def artifacts(self) -> Mapping[str, Artifact]:
        return {}

    def playbook(self) -> str:
        return "swarm.yml"

    def secrets(self) -> Mapping[str, SecretKind]:
        return {}

    def certificates(self) -> Sequence[Leaf]:
        return ()

    def variables(self, archives: Mapping[str, str], pki: str) -> Mapping[str, Any]:
        hosts = self.cluster.hosts
        return {
            "swarm_hosts": {
                host.name: {"daemon": settings.daemon(host), "environment": settings.proxy(self.cluster, host)}
                for host in hosts
            }
        }

    def look(self, host: str) -> Talk[Seen]:
        step = ShellStep(
            id="swarm-look", title="look at the engine", probe=_LOOK.read_text(), timeout=120.0, secret=True
        )
        record = yield from do(step)
        if record.truncated:
            raise HostFailed("the swarm has more nodes than one answer can hold")
        return read_look(host, record.stdout.decode("utf-8", errors="replace"))

    def warnings(self, seen: Mapping[str, Seen]) -> tuple[str, ...]:
        sights = {name: sight for name, sight in seen.items() if isinstance(sight, Sight)}
        return tuple(versions.told(self.cluster, sights))

    def decide(self, seen: Mapping[str, Seen]) -> Move | Settled:
        sights = {name: sight for name, sight in seen.items() if isinstance(sight, Sight)}
        step = rules.decide(self.cluster, self.options, sights)
        match step:
            case steps.Done(strays):
                return Settled(strays=strays)
            case steps.Wait(why):
                return Move(title=f"wait for {why}")
            case steps.Start(hosts):
                return _move(f"start Docker on {_list(hosts)}", dict.fromkeys(hosts, partial(talks.restart, "start")))
            case steps.Restart(hosts):
                title = f"restart Docker on {_list(hosts)} with its new settings"
                return _move(title, dict.fromkeys(hosts, partial(talks.restart, "restart")))
            case steps.Revive(host, gap):
                title = f"restart Docker on {host}: it is in the swarm, which calls it down all the same"
                return _move(title, {host: partial(talks.restart, "revive", gap)})
            case steps.Init(host):
                return _move(f"begin the swarm on {host}", {host: partial(self._init, host)})
            case steps.Forget(on, entries):
                names = _list(each.name for each in entries)
                return _move(f"forget what {names} was before it lost its place", {on: partial(talks.forget, entries)})
            case steps.Leave(hosts):
                return _move(
                    f"let {_list(hosts)} leave a swarm that has forgotten it", dict.fromkeys(hosts, talks.leave)
                )
            case steps.Join(hosts, remotes, tokens):
                joins = {name: partial(self._join, name, remotes, tokens) for name in hosts}
                return _move(f"let {_list(hosts)} join the swarm", joins)
            case steps.Settle(on, nodes, spec):
                return _move(self._settling(step, sights), {on: partial(talks.settle, nodes, spec)})
            case steps.Empty(host):
                on = self._speaker(host, sights)
                return _move(f"drain {host}, to restart its Docker", {on: partial(self._empty, host, "restart", 0)})
            case steps.Reopen(host):
                on = self._speaker(host, sights)
                return _move(f"uncordon {host}", {on: partial(self._reopen, host, "restart", 0)})
            case _:
                assert_never(step)

    def rotate(self) -> Talk[tuple[str, ...]]:
        def new(swarm: Mapping[str, Any]) -> tuple[str, Any]:
            version = swarm["Version"]["Index"]
            return f"/swarm/update?version={version}&rotateWorkerToken=true&rotateManagerToken=true", swarm["Spec"]

        yield from talks.rewrite("make new join tokens", "/swarm", new)
        return ("the token with which workers join", "the token with which managers join")

    def where(self, host: str) -> tuple[str, ...]:
        names = [manager.name for manager in self.cluster.managers]
        return (*(name for name in names if name != host), *(name for name in names if name == host))

    def nodes(self) -> Talk[tuple[Node, ...]]:
        entries = yield from talks.entries()
        tasks = yield from talks.tasks(entries)
        running: dict[str, int] = {}
        for task in tasks:
            if task.state == "running":
                running[task.node] = running.get(task.node, 0) + 1
        known = set(self.cluster.names)
        return tuple(
            Node(
                name=each.hostname or each.id,
                host=each.host if each.host in known else "",
                machine=each.id,
                role=each.role,
                state=each.state,
                cordoned=marks.cordoned(each.spec),
                drained=each.spec.availability == "drain",
                leader=each.leader,
                version=each.engine,
                # Of a node that is down it is not known.
                running=running.get(each.id, 0) if each.state == "ready" else None,
                labels={key: value for key, value in each.spec.labels.items() if not key.startswith("coreops.")},
            )
            for each in entries
        )

    def workloads(self) -> Talk[tuple[Workload, ...]]:
        entries = yield from talks.entries()
        tasks = yield from talks.tasks(entries)
        names = yield from talks.services()
        hosts = {each.id: each.name for each in entries}
        return tuple(
            Workload(
                service=names.get(task.service, task.service),
                task=task.id,
                host=hosts.get(task.node, ""),
                state=task.state,
            )
            for task in tasks
            if task.alive or task.desired == "running"
        )

    def cordon(self, host: str, mark: Mark) -> Talk[None]:
        yield from self._change(f"cordon {host}", host, lambda spec: marks.cordon(spec, mark))

    def drain(self, host: str, mark: Mark) -> Talk[None]:
        yield from self._empty(host, mark.by, mark.token)

    def drained(self, host: str) -> Talk[tuple[str, ...]]:
        found = yield from self._find(host)
        return tuple((yield from talks.left(found.id)))

    def uncordon(self, host: str, mark: Mark) -> Talk[None]:
        yield from self._reopen(host, mark.by, mark.token)

    def remove(self, host: str) -> Talk[None]:
        entries = yield from talks.entries()
        gone = _named(entries, host)
        for each in gone:
            if each.state == "ready":
                raise RefusedError(
                    f"{each.name} still runs",
                    why="the swarm hears from it, and tasks may run on it",
                    next=f"switch it off, or let it leave (docker swarm leave on {each.name})",
                )
        yield from self._forget(host, entries, gone)

    def expel(self, host: str) -> Talk[None]:
        """The swarm takes nothing more from a node that it has forgotten: its certificate is refused."""
        entries = yield from talks.entries()
        gone = _named(entries, host)
        for each in gone:
            if each.state == "ready" and (left := (yield from talks.left(each.id))):
                raise RefusedError(f"{each.name} still has work", why="; ".join(left), next=f"drain {each.name} first")
        yield from self._forget(host, entries, gone)

    def _forget(self, host: str, entries: Sequence[Entry], gone: Sequence[Entry]) -> Talk[None]:
        managers = [each for each in entries if each.role == "manager" and each not in gone]
        voting = [each for each in managers if each.reachability == "reachable"]
        if any(each.role == "manager" for each in gone) and len(voting) <= len(managers) // 2:
            raise RefusedError(
                f"the swarm would lose its quorum without {host}",
                why=f"{len(voting)} of the {len(managers)} other managers can be reached",
                next="bring managers back first",
            )
        yield from talks.forget(gone)

    def _init(self, host: str) -> Talk[None]:
        own = self.cluster.host(host)
        body: dict[str, Any] = self._place(host) | {"Spec": rules.first_spec(self.options)}
        if self.options.addr_pool:
            body["DefaultAddrPool"] = list(self.options.addr_pool)
        if self.options.addr_pool_mask:
            body["SubnetSize"] = self.options.addr_pool_mask
        if self.options.data_path_port:
            body["DataPathPort"] = self.options.data_path_port
        answer = yield from engine.send(f"begin the swarm on {own.name}", "POST", "/swarm/init", body)
        talks.good(answer, f"begin the swarm on {own.name}", "already part of a swarm")

    def _join(self, host: str, remotes: Sequence[str], tokens: Mapping[str, str]) -> Talk[None]:
        body = self._place(host) | {
            "RemoteAddrs": list(remotes),
            "JoinToken": tokens[self.cluster.host(host).role],
        }
        answer = yield from engine.send("join the swarm", "POST", "/swarm/join", body, secret=True)
        talks.good(answer, "join the swarm", "already part of a swarm", "will continue in the background")

    def _place(self, host: str) -> dict[str, Any]:
        own = self.cluster.host(host)
        body = {"ListenAddr": settings.listen(own), "AdvertiseAddr": settings.address(own)}
        if data := own.settings.get("swarm_data_path_address"):
            body["DataPathAddr"] = data
        return body

    def _find(self, host: str) -> Talk[Entry]:
        """The node of a host, or a stray by its name. Raises HostFailed."""
        found = _named((yield from talks.entries()), host)
        if not found:
            raise HostFailed(f"the swarm has no node for {host}", next="coreops bootstrap lets it join")
        return max(found, key=lambda each: each.state == "ready")

    def _change(self, title: str, host: str, make: Callable[[Spec], Spec]) -> Talk[Entry]:
        """Read the node, and write what ``make`` says, until nobody wrote in between."""
        found = yield from self._find(host)

        def new(raw: Mapping[str, Any]) -> tuple[str, Any] | None:
            now = entry(raw)
            wanted = make(now.spec)
            return None if wanted == now.spec else (talks.update(now), wanted.raw())

        yield from talks.rewrite(title, f"/nodes/{found.id}", new)
        return found

    def _empty(self, host: str, by: marks.By, token: int) -> Talk[None]:
        found = yield from self._change(f"drain {host}", host, lambda spec: marks.drain(spec, by, token))
        while left := (yield from talks.left(found.id)):
            yield Pause(tuple(left), 0.2)

    def _reopen(self, host: str, by: marks.By, token: int) -> Talk[None]:
        found = yield from self._find(host)
        marks.check(found.spec, token)
        if marks.uncordon(found.spec, by, token) == found.spec and marks.cordoned(found.spec):
            return  # somebody else's, and left as it is
        while not found.settled:
            state = found.state + (f", {found.reachability}" if found.reachability else "")
            hint = "; if its Docker runs, coreops bootstrap says why, or mends it" if found.state == "down" else ""
            yield Pause((f"{host} to be ready (it is {state}{hint})",))
            found = yield from self._find(host)
        yield from self._change(f"uncordon {host}", host, lambda spec: marks.uncordon(spec, by, token))

    def _speaker(self, host: str, sights: Mapping[str, Sight]) -> str:
        able = [name for name in self.where(host) if name in sights and sights[name].control]
        return able[0] if able else self.where(host)[0]

    def _settling(self, step: steps.Settle, sights: Mapping[str, Sight]) -> str:
        names = {sight.node: sight.host for sight in sights.values()}
        parts = []
        if labelled := [names[id] for id, change in step.nodes.items() if change["labels"]]:
            parts.append(f"label {_list(labelled)}")
        for id, change in step.nodes.items():
            if change["role"]:
                parts.append(f"make {names[id]} a {change['role']}")
        if step.spec is not None:
            parts.append("set what holds for the whole swarm")
        return ", ".join(parts)


def _move(title: str, said: Mapping[str, Callable[[], Talk[None]]]) -> Move:
    return Move(title=title, talks=said)


def _list(names: Iterator[str] | Sequence[str]) -> str:
    return ", ".join(names)


def _named(entries: Sequence[Entry], name: str) -> tuple[Entry, ...]:
    """By the inventory's name, or else by the node's own."""
    return tuple(each for each in entries if each.host == name) or tuple(
        each for each in entries if not each.host and name in (each.hostname, each.id)
    )
