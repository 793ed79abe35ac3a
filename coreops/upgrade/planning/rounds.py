"""From what every node runs to the rounds of a rollout: one version at a time, barriers not skipped. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from coreops.errors import RefusedError
from coreops.upgrade.observation import Observation
from coreops.upgrade.release import Release
from coreops.upgrade.version import parse, route


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one plan is about. release None: no image travels (rollback). hosts: whom it reports on."""

    version: str
    release: Release | None
    hosts: tuple[str, ...]


def upgrades(
    hosts: Sequence[str],
    seen: Mapping[str, Observation],
    target: Callable[[str], Release],
    releases: Sequence[Release],
    *,
    allow_downgrade: bool,
) -> tuple[Round, ...]:
    """The rounds that take every host to its board's target, ascending. target: board -> release.

    A host is in the rounds of its hops and in its board's last one; one that did not answer is in all of them: it
    counts as down in each. Raises RefusedError when no way leads there for one of them.
    """
    goals = {board: target(board) for board in dict.fromkeys(seen[host].board for host in hosts if host in seen)}
    hops: dict[str, tuple[Release, ...]] = {}
    for host in hosts:
        if host in seen:
            hops[host] = _hops(host, seen[host], goals[seen[host].board], releases, allow_downgrade)
    stops = {(hop.version, hop.board): hop for way in hops.values() for hop in way}
    stops |= {(goal.version, goal.board): goal for goal in goals.values()}
    made = []
    for release in sorted(stops.values(), key=lambda one: (one == goals.get(one.board), parse(one.version), one.board)):
        own = [host for host in hosts if _takes_part(host, seen.get(host), release, goals, hops.get(host, ()))]
        made.append(Round(version=release.version, release=release, hosts=tuple(own)))
    return tuple(made)


def rollbacks(
    hosts: Sequence[str], seen: Mapping[str, Observation], targets: Mapping[str, str]
) -> tuple[tuple[Round, ...], dict[str, str]]:
    """The rounds that take hosts back to what their other slot holds, and why some have none.

    targets: host -> version, where that was decided before: the other slot of one that is back holds the newer one.
    """
    found: dict[str, list[str]] = {}
    without: dict[str, str] = {}
    for host in hosts:
        if host not in seen:
            continue
        one = seen[host]
        version = targets.get(host) or one.passive_version
        if one.ticket and host not in targets:
            run, goal = one.ticket.run, one.ticket.version
            without[host] = (
                f"is in the middle of a change to {goal} (run {run}): coreops resume, or coreops abort, first"
            )
        elif not version:
            without[host] = "its other slot holds nothing that boots"
        elif host not in targets and not one.fallback:
            without[host] = f"its other slot holds {version}, which has never proven itself there"
        else:
            found.setdefault(version, []).append(host)
    away = [host for host in hosts if host not in seen]
    rounds = [Round(version=version, release=None, hosts=(*own, *away)) for version, own in found.items()]
    return tuple(rounds), without


def _hops(
    host: str, one: Observation, goal: Release, releases: Sequence[Release], allow_downgrade: bool
) -> tuple[Release, ...]:
    """A host in the middle of a hop finishes that one first."""
    under_way = next(
        (r for r in releases if one.ticket and (r.version, r.board) == (one.ticket.version, one.board)), None
    )
    start = under_way.version if under_way else one.version
    try:
        way = route(start, goal, releases, allow_downgrade=allow_downgrade)
    except RefusedError as error:
        raise RefusedError(error.what, where=host, why=error.why, next=error.next) from error
    return (under_way, *way) if under_way else way


def _takes_part(
    host: str, one: Observation | None, release: Release, goals: Mapping[str, Release], hops: Sequence[Release]
) -> bool:
    if one is None:
        return True
    return release in hops or (one.board == release.board and release == goals[one.board])
