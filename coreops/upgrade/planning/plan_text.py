"""A prepared rollout in words: what will be done, in which order and why, how long it may take, and who is left alone.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from coreops.errors import counted
from coreops.upgrade.coordinator.place import Place, place
from coreops.upgrade.observation import Observation
from coreops.upgrade.plan import NodePlan, Plan
from coreops.upgrade.planning.prepare import Prepared, Stage
from coreops.upgrade.window import open_at, opens_at

_NOTHING = (Place.CURRENT, Place.BLOCKED, Place.STUCK)


def lines(prepared: Prepared, wall: float) -> Iterator[str]:
    """The plan as the operator reads it before he says yes. wall: what time it is, in seconds of the epoch."""
    seen = prepared.seen
    before: dict[str, str] = {}
    for number, stage in enumerate(prepared.stages, start=1):
        yield from _stage(stage, number, len(prepared.stages), seen, before)
        before |= {node.name: stage.plan.version for node, _ in _going(stage, seen)}
    rest = untouched(prepared)
    if rest:
        yield "not touched:"
        width = max(len(host) for host in rest)
        yield from (f"  {host:<{width}}  {why}" for host, why in rest.items())
    seconds = estimate(prepared)
    if seconds:
        policy = prepared.stages[0].plan.policy
        yield (
            f"at most {counted(policy.max_unavailable, 'node')} away at a time, "
            f"{counted(policy.max_failures, 'failure')} allowed for, health for {policy.soak:.0f} s"
        )
        yield from (f"only in the window {window}" for window in policy.windows)
        if not open_at(policy.windows, wall):
            opens = datetime.fromtimestamp(opens_at(policy.windows, wall), UTC)
            yield f"which is closed now, and opens {opens:%a %Y-%m-%d %H:%M} UTC"
        yield f"estimated: about {_time(seconds)} ({_time(policy.turn + policy.soak)} a node), and the staging before"


def turns(prepared: Prepared) -> dict[str, list[NodePlan]]:
    """Round by version: the nodes that get a turn in it, in order."""
    return {stage.plan.version: [node for node, _ in _going(stage, prepared.seen)] for stage in prepared.stages}


def untouched(prepared: Prepared) -> dict[str, str]:
    """Host -> why nothing is done there."""
    rest = dict(prepared.untouched)
    going = {node.name for stage in prepared.stages for node, _ in _going(stage, prepared.seen)}
    for stage in prepared.stages:
        for node in stage.plan.nodes:
            if node.name not in going:
                rest[node.name] = _why_not(stage.plan, node.name, prepared)
    return rest


def is_idle(prepared: Prepared) -> bool:
    """Does every host run what it should, with nothing left over?"""
    return all(
        (one := prepared.seen.get(node.name)) is not None and place(one, stage.plan)[0] is Place.CURRENT
        for stage in prepared.stages
        for node in stage.plan.nodes
    )


def estimate(prepared: Prepared) -> float:
    """Seconds for all turns, one after the other as far as the policy wants that."""
    total = 0.0
    for stage in prepared.stages:
        policy, nodes = stage.plan.policy, [node for node, _ in _going(stage, prepared.seen)]
        alone = sum(node.canary for node in nodes)
        rows = alone + -(-(len(nodes) - alone) // policy.max_unavailable)
        total += rows * (policy.turn + policy.soak)
    return total


def _stage(
    stage: Stage, number: int, total: int, seen: Mapping[str, Observation], before: Mapping[str, str]
) -> Iterator[str]:
    """before: what hosts will run then, after earlier rounds."""
    plan, going = stage.plan, _going(stage, seen)
    size = f" ({stage.release.size / 2**20:.0f} MiB)" if stage.release else ""
    verb = "finish what is under way towards" if plan.start_none else "go back to" if plan.deny_source else "upgrade to"
    head = f"{verb} {plan.version}{size}: {counted(len(going), 'node')}"
    yield f"round {number} of {total}: {head}" if total > 1 else head
    rows = [
        (f"{rank}.", node.name, node.zone or "-", before.get(node.name, now), node.why)
        for rank, (node, now) in enumerate(going, 1)
    ]
    yield from (f"  {line}" for line in _columns(rows))


def _going(stage: Stage, seen: Mapping[str, Observation]) -> list[tuple[NodePlan, str]]:
    """Who gets a turn, and what it runs now."""
    found = []
    for node in stage.plan.nodes:
        one = seen.get(node.name)
        if one is None:
            continue
        where, why = place(one, stage.plan)
        left_alone = stage.plan.start_none and one.ticket is None and not one.drained
        if where not in _NOTHING and not left_alone:
            said = f"{one.version} in {one.slot}" + (f", {why}" if one.ticket or one.drained else "")
            found.append((node, said))
    return found


def _why_not(plan: Plan, host: str, prepared: Prepared) -> str:
    one = prepared.seen.get(host)
    if one is None:
        look = prepared.looks.get(host)
        return f"no answer: {look.error.what}" if look and look.error else "no answer"
    return "nothing is under way there" if plan.start_none and one.ticket is None else place(one, plan)[1]


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
