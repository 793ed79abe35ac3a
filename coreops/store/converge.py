"""Carries out what ``members.plan`` decides, one action after the other, until nothing is left. Drives nodes; decides
nothing itself but how long to wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from coreops.errors import HostFailed, RefusedError
from coreops.events import Emit, Notice
from coreops.model import ShellStep
from coreops.shell.quote import q
from coreops.store import cluster, etcdctl, members
from coreops.store.cluster import Member
from coreops.store.etcdctl import MemberInfo
from coreops.store.nodes import Nodes
from coreops.store.observe import Node
from coreops.store.wanted import first_members

PATIENCE = 180.0
LOOK_WAIT = 10
MAX_ACTIONS = 200


@dataclass(slots=True)
class Converger:
    """One run's way to the wanted membership. ``only``: the hosts that may be touched."""

    nodes: Nodes
    wanted: Sequence[Member]
    extra: Mapping[str, Any]
    emit: Emit
    prune: bool = False
    only: frozenset[str] | None = None
    clock: Callable[[], float] = time.monotonic
    done: list[str] = field(default_factory=list)

    def run(self, seen: Mapping[str, Node] | None = None) -> tuple[dict[str, Node], tuple[MemberInfo, ...]]:
        """Converge; return the last look and the members nobody wants. Raises RefusedError, HostFailed."""
        found = dict(seen) if seen else self.nodes.look(self.wanted)
        deadline: float | None = None
        for _ in range(MAX_ACTIONS):
            action = self.decide(found)
            match action:
                case members.Done():
                    return found, action.strays
                case members.Refuse():
                    raise RefusedError(action.what, why=action.why, next=action.next)
                case members.Wait():
                    deadline = deadline or self.clock() + PATIENCE
                    if self.clock() > deadline:
                        raise self._gave_up(action, found)
                case _:
                    deadline = None
                    self._allowed(action)
                    self._do(action, found)
            started = (members.Form, members.Start, members.StartLearner, members.Restart, members.Wait)
            moved = _hosts(action) if isinstance(action, started) else ()
            found = self.nodes.look(self.wanted, wait=dict.fromkeys(moved, LOOK_WAIT))
        raise HostFailed(
            "the membership does not settle", why=f"the last of {MAX_ACTIONS} actions: {self.done[-1]}",
            next="look at the journals of etcd.service on the nodes",
        )  # fmt: skip

    def decide(self, found: Mapping[str, Node]) -> members.Action:
        """The next action for what was seen."""
        wanted, alive = self.wanted, frozenset[int]()
        state = members.membership(wanted, found, alive)
        if state and state.strays:
            alive = self._alive(state, found)
        if self.only is not None:
            wanted = [m for m in wanted if m.name in self.only or (state and m.name in state.of_host)]
            found = {n.host: n if n.host in self.only else replace(n, stale=False) for n in found.values()}
        firsts = {name: text for name, (text, _) in first_members(self.wanted).items()}
        return members.plan(wanted, found, firsts, prune=self.prune, alive=alive)

    def _allowed(self, action: members.Action) -> None:
        outside = sorted(set(_hosts(action)) - self.only) if self.only is not None else []
        if outside:
            raise RefusedError(
                f"{', '.join(outside)} must be touched but is outside --limit",
                why=describe(action),
                next="run without --limit, or widen it",
            )

    def _do(self, action: members.Action, found: Mapping[str, Node]) -> None:
        text = describe(action)
        self.done.append(text)
        self.emit(Notice(text))
        fresh = {**self.extra, "etcd_write_first": True}
        match action:
            case members.Form(hosts, reset):
                self._reset(reset)
                self.nodes.play(["first", "start"], hosts, fresh)
            case members.Start(hosts):
                self.nodes.play(["start"], hosts, self.extra)
            case members.Reset(host):
                self._reset([host])
            case members.AddLearner(host):
                member = self._member(host)
                self._ask(found, lambda id, ends: etcdctl.member_add(id, member.name, member.peer_url, ends))
            case members.StartLearner(host):
                first = {host: {"members": self._existing(host, found), "state": "existing"}}
                self.nodes.play(["first", "start"], [host], {**fresh, "etcd_first": first})
            case members.Promote(_, member_id):
                self._ask(found, lambda id, ends: etcdctl.member_promote(id, member_id, ends))
            case members.RemoveMember(_, member_id):
                self._ask(found, lambda id, ends: etcdctl.member_remove(id, member_id, ends))
            case members.MoveLeader(to, _, _):
                self._ask(found, lambda id, ends: etcdctl.move_leader(id, to, ends), everybody=True)
            case members.Restart(host):
                step = ShellStep(
                    id=self.nodes.name("restart"), title="restart etcd", act="systemctl restart --no-block etcd.service"
                )
                self.nodes.run({host: [step]})

    def _ask(
        self, found: Mapping[str, Node], make: Callable[[str, list[str]], ShellStep], everybody: bool = False
    ) -> None:
        """Run one etcdctl command on a node that serves, against its own member (or against all members)."""
        host = self._speaker(found)
        endpoints = [f"https://127.0.0.1:{self._member(host).client_port}"]
        if everybody:
            endpoints = [url for entry in found[host].members or () for url in entry.client_urls]
        self.nodes.run({host: [make(self.nodes.name("etcdctl"), endpoints)]})

    def _speaker(self, found: Mapping[str, Node]) -> str:
        """A healthy voter to talk through: the leader when it is one of ours."""
        serving = [n for n in found.values() if n.healthy and n.status and not n.status.learner]
        serving.sort(key=lambda n: n.status is not None and n.status.member_id == n.status.leader)
        return serving[-1].host

    def _alive(self, state: members.Membership, found: Mapping[str, Node]) -> frozenset[int]:
        """Which members outside the inventory answer."""
        asked = {url: entry.id for entry in state.strays for url in entry.client_urls[:1]}
        if not asked:
            return frozenset()
        host, id = self._speaker(found), self.nodes.name("health")
        record = self.nodes.run({host: [etcdctl.health(id, list(asked))]})[host][id]
        try:
            healthy = etcdctl.parse_health(record.stdout.decode(errors="replace"))
        except ValueError:
            healthy = {}
        return frozenset(asked[url] for url, good in healthy.items() if good and url in asked)

    def _existing(self, host: str, found: Mapping[str, Node]) -> str:
        """The member list as the newcomer must be told it: every member with all of its URLs, itself under its name."""
        own = self._member(host)
        entries = found[self._speaker(found)].members or ()
        parts = [
            f"{entry.name or own.name}={url}" for entry in entries for url in entry.peer_urls if url != own.peer_url
        ]
        return ",".join([*parts, cluster.initial_cluster([own])])

    def _reset(self, hosts: Sequence[str]) -> None:
        """Stop etcd and set its data aside, beside the place where etcd looks for it."""
        steps = {}
        for host in hosts:
            folder = q(self._member(host).data_dir)
            script = (
                "systemctl stop etcd.service || :\n"
                f"if [ -d {folder}/member ]; then\n"
                f"    aside={folder}/set-aside-$(date +%Y%m%dT%H%M%S)\n"
                f'    mkdir -m 0700 "$aside" && mv {folder}/member "$aside"/ || exit 1\n'
                "fi\n"
                "rm -f /etc/etcd/formed /etc/etcd/cluster.env\n"
            )
            steps[host] = [ShellStep(id=self.nodes.name("reset"), title="set etcd's data aside", act=script)]
        if steps:
            self.nodes.run(steps)

    def _member(self, host: str) -> Member:
        return next(member for member in self.wanted if member.name == host)

    def _gave_up(self, action: members.Wait, found: Mapping[str, Node]) -> HostFailed:
        hosts = action.hosts or tuple(found)
        log = [f"{host}: {line}" for host in hosts for line in found[host].log]
        state = [f"{host} is {'running' if found[host].active else 'not running'}" for host in hosts]
        return HostFailed(
            f"waited {PATIENCE:.0f} s for {action.why}",
            where=", ".join(hosts),
            why="\n       ".join(log or state),
            next=f"look at the journal: journalctl -u etcd.service (on {hosts[0]}); then run the same command again",
        )


def _hosts(action: members.Action) -> tuple[str, ...]:
    """The hosts that an action touches, or waits for."""
    return getattr(action, "hosts", None) or ((action.host,) if hasattr(action, "host") else ())


def describe(action: members.Action) -> str:
    """An action in one line, as it is announced and as --check reports it."""
    match action:
        case members.Form(hosts, reset):
            again = f" (setting aside an unfinished attempt on {', '.join(reset)})" if reset else ""
            return f"form the cluster: start {', '.join(hosts)} at once{again}"
        case members.Start(hosts):
            return f"start {', '.join(hosts)}"
        case members.Reset(host, why):
            return f"set the data of {host} aside: {why}"
        case members.AddLearner(host):
            return f"add {host} as a learner"
        case members.StartLearner(host):
            return f"start {host} as a learner"
        case members.Promote(host, _):
            return f"promote {host} to a voter"
        case members.RemoveMember(name, member_id, why):
            return f"remove member {name} ({member_id:x}): {why}"
        case members.MoveLeader(_, name, leader):
            return f"move the leadership from {leader} to {name}"
        case members.Restart(host):
            return f"restart {host} with its new settings"
        case members.Wait(why, _):
            return f"wait for {why}"
        case members.Refuse(what, why, _):
            return f"refuse: {what} ({why})"
        case members.Done():
            return "nothing"
