"""From what was seen to what is to be done about it. Pure: asked again after every act, it keeps no state.

Safety rules, all exercised by the simulation in the tests: a member that lives is never removed; none is removed when
the rest would have no quorum; nothing is done to a machine, or to the membership, while an upgrade has a machine of the
store in hand; a machine that only does not answer is left alone until it was silent for ``after`` seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from coreops.healing.seen import Machine, Member, Seen
from coreops.store import quorum


@dataclass(frozen=True, slots=True)
class Remove:
    """Take a dead member out of etcd. urls: where it would serve if it lived."""

    name: str
    id: int
    why: str
    urls: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"remove the member {self.name} ({self.id:x}) from etcd: {self.why}"


@dataclass(frozen=True, slots=True)
class Rejoin:
    """Make these hosts members again: what bootstrap does. without: hosts that do not answer and are left out."""

    hosts: tuple[str, ...]
    why: str
    without: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return ", ".join(self.hosts)

    def __str__(self) -> str:
        return f"have {self.name} serve in etcd again: {self.why}"


@dataclass(frozen=True, slots=True)
class Forget:
    """Remove a dead node from the scheduler; its work is placed elsewhere. host: "" for a stray."""

    name: str
    host: str
    scheduler: str
    why: str

    def __str__(self) -> str:
        return f"remove {self.name} from {self.scheduler}, whose work goes elsewhere: {self.why}"


Act = Remove | Rejoin | Forget


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that is not well and is left alone for now. dead: nothing is heard of it."""

    host: str
    why: str
    dead: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that is not done as it would cost the quorum."""

    what: str
    why: str
    next: str


@dataclass(slots=True)
class Plan:
    """acts: in this order, one at a time, with a look before each."""

    acts: list[Act] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    @property
    def nothing(self) -> bool:
        return not (self.acts or self.waiting or self.refused)


def decide(seen: Seen, after: float | None = None) -> Plan:
    """after: seconds of silence from which a machine counts as gone; None: one that is in the inventory never does."""
    plan = Plan()
    given_up = {m.host for m in seen.machines if after is not None and m.silent >= after} - seen.alive
    down = {m.host for m in seen.machines} - seen.alive
    busy = {m.host: m.leased for m in seen.machines if m.leased}
    in_hand = {m.host: m.leased for m in seen.machines if m.leased and m.store}
    _store(plan, seen, given_up, in_hand)
    _scheduler(plan, seen, given_up, busy)
    for machine in seen.machines:
        if machine.host in down - given_up:
            plan.waiting.append(Waiting(machine.host, _down(seen, machine, after), dead=True))
        elif machine.host in busy and machine.host in down:
            plan.waiting.append(
                Waiting(machine.host, f"it is silent, but {busy[machine.host]} has it in hand", dead=True)
            )
        elif machine.host in given_up and not any(_concerns(act, machine.host, seen) for act in plan.acts):
            plan.waiting.append(
                Waiting(machine.host, "it is given up; replace the machine, or take it out of the inventory", dead=True)
            )
        elif not machine.answers and machine.host not in down:
            plan.waiting.append(Waiting(machine.host, f"it cannot be reached from here, but it lives: {machine.why}"))
    return plan


def _store(plan: Plan, seen: Seen, given_up: set[str], in_hand: dict[str, str]) -> None:
    if not any(machine.store for machine in seen.machines):
        return
    acts: list[Act] = []
    if seen.members is None:
        acts += _without_quorum(plan, seen)
    else:
        voters = {member.id for member in seen.members if member.voter}
        healthy = {member.id for member in seen.members if member.healthy}
        acts += _removals(plan, seen, given_up, voters, healthy)
        acts += _rejoins(plan, seen, voters, healthy)
    if acts and in_hand:
        host, who = next(iter(in_hand.items()))
        plan.waiting += [Waiting(act.name, f"not now to {act}; {who} has {host} in hand") for act in acts]
    else:
        plan.acts += acts


def _removals(plan: Plan, seen: Seen, given_up: set[str], voters: set[int], healthy: set[int]) -> Iterator[Remove]:
    """Dead members whose machines do not come back. ``voters`` follows what is planned."""
    for member in seen.members or ():
        if member.healthy or (member.host and member.host not in given_up):
            continue
        why = "its machine is gone" if member.host else "it is not in the inventory and does not answer"
        if member.voter and not quorum.may_remove(voters, healthy, member.id):
            plan.refused.append(_quorum(member, voters, healthy))
            continue
        voters.discard(member.id)
        yield Remove(member.name or f"{member.id:x}", member.id, why, member.urls)


def _rejoins(plan: Plan, seen: Seen, voters: set[int], healthy: set[int]) -> Iterator[Rejoin]:
    """Machines that answer and do not serve."""
    of_host = {member.host: member for member in seen.members or () if member.host}
    start: list[str] = []
    anew: list[tuple[str, str]] = []
    for machine in seen.machines:
        if not machine.store or not machine.answers:
            continue
        member = of_host.get(machine.host)
        if member is None:
            anew.append((machine.host, "the cluster does not know it as a member"))
        elif not member.name or not member.voter:
            anew.append((machine.host, "it has not finished joining"))
        elif not machine.data:
            if not quorum.may_remove(voters, healthy, member.id):
                plan.refused.append(_quorum(member, voters, healthy))
                continue
            voters.discard(member.id)
            anew.append((machine.host, "it lost its data, or is another machine"))
        elif not member.healthy:
            start.append(machine.host)
    out = tuple(m.host for m in seen.machines if m.store and not m.answers)
    # etcd takes nobody in while a voter is away, but those that start are there in a moment.
    away = [m for m in seen.members or () if m.id in voters - healthy and m.host not in start]
    if start:
        yield Rejoin(tuple(start), "its etcd does not serve" if len(start) == 1 else "their etcd does not serve", out)
    if anew and away:
        names = ", ".join(member.name for member in away)
        plan.waiting += [
            Waiting(host, f"{why}; it joins when {names} is back or given up: etcd takes in nobody before that")
            for host, why in anew
        ]
    elif anew:
        reasons = dict.fromkeys(why for _, why in anew)
        yield Rejoin(tuple(host for host, _ in anew), "; ".join(reasons), out)


def _without_quorum(plan: Plan, seen: Seen) -> Iterator[Rejoin]:
    """Only members that have their data can bring a quorum back, and only when every host is there to be asked."""
    store = [machine for machine in seen.machines if machine.store]
    silent = [machine.host for machine in store if not machine.answers]
    whole = [machine for machine in store if machine.answers and machine.data]
    idle = tuple(machine.host for machine in whole if not machine.active)
    need = quorum.quorum(len(store))
    if not silent and len(whole) >= need and idle:
        yield Rejoin(idle, "etcd has no quorum, and its data is here")
        return
    if silent:
        plan.refused.append(
            Refused(
                "etcd has no quorum",
                f"{', '.join(silent)} cannot be reached; {len(whole)} of {len(store)} members are known to have their "
                f"data, and {need} must agree on anything",
                f"bring {' or '.join(silent)} back; heal never forms a new cluster over an old one",
            )
        )
        return
    if len(whole) >= need:
        why = f"etcd runs on {', '.join(machine.host for machine in whole)}, and they find no quorum"
        next_ = "members outside the inventory may be missing: bring them back; or look at the journals of etcd.service"
    else:
        why = f"{len(whole)} of {len(store)} members have their data, and {need} are needed"
        next_ = "restore a snapshot with etcdutl; for a cluster that was never made: coreops bootstrap"
    plan.refused.append(Refused("the quorum of etcd is lost", why, next_))


def _scheduler(plan: Plan, seen: Seen, given_up: set[str], busy: dict[str, str]) -> None:
    for agent in seen.agents:
        if agent.ready:
            continue
        if agent.host and any(other.ready and other.host == agent.host for other in seen.agents):
            plan.acts.append(Forget(agent.name, "", seen.scheduler, f"{agent.host} is another node by now"))
            continue
        gone = agent.host in given_up if agent.host else agent.name not in seen.registered
        answers = any(machine.host == agent.host and machine.answers for machine in seen.machines)
        if gone and agent.host not in busy:
            why = "its machine is gone" if agent.host else "it is not in the inventory and is down"
            plan.acts.append(Forget(agent.name, agent.host, seen.scheduler, why))
        elif answers:
            state = f"the machine answers, but {seen.scheduler} says it is {agent.state or 'down'}"
            plan.waiting.append(Waiting(agent.host, f"{state}; coreops bootstrap repairs an agent"))


def _quorum(member: Member, voters: set[int], healthy: set[int]) -> Refused:
    return Refused(
        f"the member {member.name or hex(member.id)} cannot be removed now",
        f"{len(voters & healthy)} of {len(voters)} voters serve; without it the rest would have no quorum",
        "bring another member back first",
    )


def _down(seen: Seen, machine: Machine, after: float | None) -> str:
    """What a machine that is only down would take."""
    takes = []
    if any(member.host == machine.host for member in seen.members or ()):
        takes.append("remove its member from etcd")
    if any(agent.host == machine.host for agent in seen.agents):
        takes.append(f"remove it from {seen.scheduler}")
    would = f"to give it up would take: {', '.join(takes)}" if takes else "nothing depends on it"
    if machine.store and seen.members is None:
        return f"it is down ({machine.why}); without a quorum it may be the one that is needed"
    if machine.leased:
        return f"it is silent, but {machine.leased} has it in hand"
    if after is None:
        return f"it is down ({machine.why}); {would} (--watch --after 10m, or take it out of the inventory)"
    return f"it is down for {machine.silent:.0f} s ({machine.why}); after {after:.0f} s: {would}"


def _concerns(act: Act, host: str, seen: Seen) -> bool:
    if isinstance(act, Rejoin):
        return host in act.hosts
    if isinstance(act, Forget):
        return act.host == host
    return any(member.id == act.id and member.host == host for member in seen.members or ())
