"""A look at a node, in one exchange: its slots, whether it is drained or cordoned, and how its store is.
For the rollout, and for those who only look (the plan, status, audit).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from coreops.errors import CoreopsError, HostFailed
from coreops.identity import identity
from coreops.model import Record, ShellStep
from coreops.store.cluster import Member
from coreops.upgrade.cluster.nodes import Nodes
from coreops.upgrade.drain import survey as standing
from coreops.upgrade.gates.gateset import GateSet
from coreops.upgrade.observation import Observation, StoreView
from coreops.upgrade.slots.protocol import SlotDriver

_STANDING = "standing"


@dataclass(frozen=True, slots=True)
class Look:
    """What one host answered: either ``seen`` or ``error``. store: as its member of etcd sees it, if asked."""

    seen: Observation | None = None
    error: CoreopsError | None = None
    store: StoreView | None = None


def look(nodes: Nodes, driver: SlotDriver, node: str) -> Observation:
    """What the node is; not who: that is asked once. Raises UnreachableError, HostFailed."""
    return _read(node, driver, nodes.ask(node, _steps(driver)))


def look_at_all(nodes: Nodes, driver: SlotDriver, hosts: Sequence[str], members: Sequence[Member]) -> dict[str, Look]:
    """Look at all hosts at the same time, and ask one member for their store; the others too unless all is well."""
    gates = GateSet({}, members)
    own = [host for host in hosts if host in {member.name for member in members}]
    first, others = own[:1], own[1:]
    answers = nodes.ask_all(
        {
            host: [*_steps(driver), identity.step(), *(gates.steps(host, "before") if host in first else [])]
            for host in hosts
        }
    )
    looks = {host: _look(host, driver, gates if host in first else None, answer) for host, answer in answers.items()}
    if others and not _all_is_well(looks[first[0]].store):
        healths = nodes.ask_all({host: gates.steps(host, "before") for host in others if looks[host].error is None})
        for host, answer in healths.items():
            if not isinstance(answer, CoreopsError):
                looks[host] = replace(looks[host], store=gates.judge(host, "before", answer).store)
    return looks


def _all_is_well(store: StoreView | None) -> bool:
    return store is not None and store.healthy == store.voters and store.leader is not None


def store_of(looks: Mapping[str, Look]) -> StoreView | None:
    """The store as the members see it that see most of it healthy; None when there is none."""
    views = [look.store for look in looks.values() if look.store is not None]
    return max(views, key=lambda view: (len(view.healthy), view.leader is not None), default=None)


def _look(host: str, driver: SlotDriver, gates: GateSet | None, answer: Mapping[str, Record] | CoreopsError) -> Look:
    if isinstance(answer, CoreopsError):
        return Look(error=answer)
    try:
        seen = _read(host, driver, answer)
    except CoreopsError as error:
        return Look(error=error)
    return Look(seen, store=gates.judge(host, "before", answer).store if gates else None)


def _steps(driver: SlotDriver) -> list[ShellStep]:
    question = ShellStep(id=_STANDING, title="look whether it is drained", probe=standing.script(), timeout=30.0)
    return [driver.survey(), question]


def _read(node: str, driver: SlotDriver, records: Mapping[str, Record]) -> Observation:
    slots, stands = records.get(driver.survey().id), records.get(_STANDING)
    if slots is None or stands is None or stands.state != "ok":
        raise HostFailed("the node did not say how it stands", where=node)
    pairs = (line.partition(" ") for line in stands.stdout.decode(errors="replace").splitlines())
    found = standing.read({key: value for key, _, value in pairs})
    seen = replace(driver.read(slots), drained=found.drained, cordoned=found.cordoned)
    who = records.get(identity.STEP)
    if who is None:
        return seen
    known = identity.parse(who.stdout.decode(errors="replace"))
    return replace(seen, hostname=known.hostname, macs=known.macs, addresses=known.addresses)
