"""The protocol of all schedulers for ``units``. Everything but ``look`` is a matter of the store, so any host will do.

Cordon: the host is given no new units. Drain: nor may it keep what it has; each unit is placed elsewhere at once, and
runs there as soon as this node has stopped it and given it back. What fits nowhere else waits until ``uncordon``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coreops.errors import RefusedError
from coreops.model import ShellStep
from coreops.schedulers.protocol import (
    Artifact,
    Cluster,
    Fenced,
    Mark,
    Move,
    Node,
    Pause,
    SecretKind,
    Seen,
    Settled,
    Talk,
    Workload,
    ask,
    do,
)
from coreops.schedulers.units.gateway import Gateway, again
from coreops.schedulers.units.layout import ROOT, Closed, State, Who
from coreops.schedulers.units.planning import Write, closing, plan
from coreops.schedulers.units.settings import BEAT
from coreops.schedulers.units.submitting import Submitting
from coreops.store.pki import Leaf
from coreops.units.names import natural

_PROGRAM = "/etc/coreops/units/agent.sh"
_RUN = "/run/coreops-units"
_MARK = "-- known to the store --"
_LOOK = f"""n=0
while systemctl is-active -q coreops-units.service && [ ! -s {_RUN}/program ] && [ "$n" -lt 50 ]; do
    sleep 0.1 2>/dev/null || sleep 1
    n=$((n + 1))
done
systemctl is-active -q coreops-units.service && echo active
[ "$(sha256sum <{_PROGRAM} 2>/dev/null)" = "$(cat {_RUN}/program 2>/dev/null)" ] && echo current
[ -s {_RUN}/lease ] || exit 0
echo joined
echo {_MARK}
"""
_WATCHED = ("held", "said")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent(Seen):
    """running: the program that is installed runs. known: the nodes that the store knows, if this one could ask."""

    running: bool = False
    known: tuple[str, ...] = ()


class Units(Submitting):
    """One cluster."""

    def __init__(self, cluster: Cluster, gateway: Gateway | None = None) -> None:
        super().__init__(cluster, gateway or Gateway(cluster.store))

    def artifacts(self) -> Mapping[str, Artifact]:
        return {}

    def playbook(self) -> str:
        return "units.yml"

    def secrets(self) -> Mapping[str, SecretKind]:
        return {}

    def certificates(self) -> Sequence[Leaf]:
        return [Leaf(f"units/{host.name}", f"coreops units {host.name}"[:64]) for host in self.cluster.hosts]

    def variables(self, archives: Mapping[str, str], pki: str) -> Mapping[str, Any]:
        endpoints = "".join(f"{url}\n" for url in self.cluster.store)
        nodes = {
            host.name: {
                "endpoints": endpoints,
                "env": f"# Managed by coreops\nHOST={host.name}\nBEAT={host.settings.get('units_beat', BEAT)}\n",
            }
            for host in self.cluster.hosts
        }
        return {"units_nodes": nodes, "units_pki": pki}

    def look(self, host: str) -> Talk[Agent]:
        asks = self.gateway.asking("machine")
        script = f"{_LOOK}(\n{asks.act}) || :"
        record = yield from do(
            ShellStep(id="look", title="look at the agent", probe=script, env=asks.env, timeout=60.0)
        )
        text, _, answer = record.stdout.decode(errors="replace").partition(_MARK)
        found = text.split()
        known = self.gateway.known(answer)
        running = "active" in found and "current" in found
        cluster = "units" if "joined" in found else ""
        return Agent(host=host, version="1", cluster=cluster, running=running, known=known)

    def decide(self, seen: Mapping[str, Seen]) -> Move | Settled:
        stale = tuple(host for host, each in seen.items() if not (isinstance(each, Agent) and each.running))
        if stale:
            return Move(title=f"start the agent on {', '.join(stale)}", play=("start",), on=stale)
        waiting = [host for host, each in seen.items() if not each.cluster]
        if waiting:
            return Move(title=f"wait until {', '.join(waiting)} found the store")
        known = {name for each in seen.values() if isinstance(each, Agent) for name in each.known}
        return Settled(strays=tuple(sorted(known - set(self.cluster.names), key=natural)))

    def rotate(self) -> Talk[tuple[str, ...]]:
        """It has no secrets but the nodes' certificates, which bootstrap renews."""
        yield from ask(ShellStep(id="rotate", title="nothing to rotate", probe=":"))
        return ()

    def where(self, host: str) -> tuple[str, ...]:
        first = [each.name for each in (*self.cluster.managers, *self.cluster.hosts) if each.name != host]
        return (*dict.fromkeys(first), *(name for name in self.cluster.names if name == host))

    def nodes(self) -> Talk[tuple[Node, ...]]:
        state = yield from self.gateway.state()
        wanted = {host.name: host for host in self.cluster.hosts}
        found = []
        known = {*state.machines, *state.said}
        for name in (*(name for name in wanted if name in known), *sorted(known - wanted.keys())):
            host = wanted.get(name)
            closed = state.closed.get(name, Closed())
            here = state.here(name)
            found.append(
                Node(
                    name=name,
                    host=name if host else "",
                    machine=state.machines.get(name, ""),
                    role=host.role if host else "worker",
                    state="ready" if name in state.said else "down",
                    cordoned=closed.cordon or closed.drain,
                    drained=bool(closed.drain) and not here,
                    running=len(here),
                    labels=host.labels if host else {},
                )
            )
        return tuple(found)

    def workloads(self) -> Talk[tuple[Workload, ...]]:
        state = yield from self.gateway.state()
        return tuple(
            Workload(service=row.service, task=row.name, host=row.host, state=row.state)
            for row in self.rows(state)
            if row.host
        )

    def cordon(self, host: str, mark: Mark) -> Talk[None]:
        def closed(now: Closed) -> Closed:
            by = mark.by if mark.by == "operator" else now.cordon or mark.by
            return Closed(by, now.drain, max(now.token, mark.token))

        yield from self._close(host, mark, closed)

    def drain(self, host: str, mark: Mark) -> Talk[None]:
        def closed(now: Closed) -> Closed:
            by = mark.by if mark.by == "operator" else now.drain or mark.by
            return Closed(now.cordon, by, max(now.token, mark.token))

        yield from self._close(host, mark, closed)
        while left := (yield from self.drained(host)):
            yield Pause(left)

    def drained(self, host: str) -> Talk[tuple[str, ...]]:
        state = yield from self.gateway.state(_WATCHED)
        units = state.said[host].units if host in state.said else {}
        return tuple(
            f"{name} ({'/'.join(units[name][:2]) if name in units else 'no word from the node'})"
            for name in state.here(host)
        )

    def uncordon(self, host: str, mark: Mark) -> Talk[None]:
        def opened(now: Closed) -> Closed:
            if mark.by == "operator":
                return Closed(token=now.token)
            cordon: Who = "" if now.cordon == "upgrade" else now.cordon
            return Closed(cordon, "" if now.drain == "upgrade" else now.drain, max(now.token, mark.token))

        yield from self._close(host, mark, opened)
        while True:
            state = yield from self.gateway.state(("said",))
            if host in state.said:
                return
            yield Pause((f"{host} has not found the store yet",))

    def remove(self, host: str) -> Talk[None]:
        while True:
            state = yield from self.gateway.state()
            if host in state.said:
                raise RefusedError(
                    f"{host} still runs",
                    why="its agent is with the store, and its units may be running",
                    next=f"drain it and stop coreops-units.service there; its lease ends {_TTL} s later",
                )
            done = plan(state, self.cluster, {}, gone=[host])
            keys = [f"held/{name}" for name, holder in state.held.items() if holder == host]
            keys += [f"machine/{host}"] if host in state.machines else []
            keys += [f"closed/{host}"] if host in state.closed else []
            groups = [(Write(ROOT + key),) for key in keys] + list(done.groups)
            if not groups or (yield from self.gateway.write(state, groups, "remove")):
                return
            yield again(f"remove {host}")

    def _close(self, host: str, mark: Mark, change: Callable[[Closed], Closed]) -> Talk[None]:
        """Change who closed a host, and place what that moves."""
        while True:
            state: State = yield from self.gateway.state()
            now = state.closed.get(host, Closed())
            if mark.by == "upgrade" and mark.token < now.token:
                raise Fenced(
                    f"{host}: a newer controller has been here",
                    why=f"it came with the token {now.token}, this one has {mark.token}",
                )
            wanted = change(now)
            state, write = closing(state, host, wanted)
            groups = list(plan(state, self.cluster, {}).groups)
            if wanted != now:
                groups.insert(0, (write,))
            if not groups or (yield from self.gateway.write(state, groups, mark.by)):
                return
            yield again(host)


_TTL = 25
