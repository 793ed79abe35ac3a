"""Before anything is touched: read all input, look at all nodes, make the plans, and refuse what must not be begun.

``read`` opens no connection to a node; ``plan`` decides on what was seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from coreops.errors import InputError, RefusedError, counted, did_you_mean
from coreops.events import Emit
from coreops.identity import written
from coreops.identity.identity import Identity
from coreops.identity.twins import Seen, twins
from coreops.store import quorum
from coreops.upgrade.cluster.looks import Look, store_of
from coreops.upgrade.hooks import Hooks, default_path
from coreops.upgrade.observation import Observation, StoreView
from coreops.upgrade.plan import Plan, Policy
from coreops.upgrade.planning import fleet as fleets
from coreops.upgrade.planning import rounds
from coreops.upgrade.planning import settings as wanted
from coreops.upgrade.planning.fleet import Fleet
from coreops.upgrade.planning.order import Standing, order
from coreops.upgrade.planning.request import Request
from coreops.upgrade.planning.rounds import Round
from coreops.upgrade.planning.settings import Settings
from coreops.upgrade.release import Release

if TYPE_CHECKING:
    from coreops.inventory import Inventory
    from coreops.schedulers.settings import Wanted
    from coreops.upgrade.channel.reader import Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """All that was read. repository None: no image travels. scheduler None: there is none."""

    request: Request
    fleet: Fleet
    settings: Settings
    hooks: Hooks
    repository: Repository | None
    scheduler: Wanted | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One round with its plan."""

    plan: Plan
    release: Release | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a rollout is going to do. untouched: host -> why."""

    wishes: Wishes
    looks: Mapping[str, Look]
    store: StoreView | None
    stages: tuple[Stage, ...]
    untouched: Mapping[str, str]

    @property
    def request(self) -> Request:
        """The request with what was decided by looking, so that ``resume`` decides the same."""
        asked = self.wishes.request
        if asked.kind == "rollback":
            pairs = {node.name: stage.plan.version for stage in self.stages for node in stage.plan.nodes}
            return replace(asked, targets={**pairs, **asked.targets})
        goals = {stage.plan.version for stage in self.stages if stage is self._last_of(stage.release)}
        return replace(asked, version=goals.pop()) if len(goals) == 1 else asked

    def _last_of(self, release: Release | None) -> Stage | None:
        """The last round of a board."""
        board = release.board if release else ""
        return next((s for s in reversed(self.stages) if s.release and s.release.board == board), None)

    @property
    def seen(self) -> dict[str, Observation]:
        """The hosts that answered."""
        return {host: look.seen for host, look in self.looks.items() if look.seen is not None}


def read(request: Request, emit: Emit, *, channel: bool = True) -> Wishes:
    """Read inventory, settings, hooks and (unless ``channel`` is False) the channel.

    Raises InputError, RefusedError; nothing was touched.
    """
    fleet = fleets.read(Path(request.inventory), request.limit, request.connection)
    playbook = Path(request.playbook) if request.playbook else default_path()
    written.check(fleet.inventory)
    hooks = Hooks.load(playbook, fleet.inventory, emit=emit)
    settings = wanted.read(fleet.inventory, fleet.chosen, request.flags, hooks)
    _known_zones(request, settings)
    scheduler = _scheduler(fleet, settings, request)
    repository = _repository(settings) if channel and request.kind == "upgrade" else None
    if repository is not None and not request.version:
        _known_channel(repository, settings)
    return Wishes(
        request=request,
        fleet=fleet,
        settings=settings,
        hooks=hooks,
        repository=repository,
        scheduler=scheduler,
    )


def _scheduler(fleet: Fleet, settings: Settings, request: Request) -> Wanted | None:
    """What moves work between the nodes. Raises InputError."""
    if not any("scheduler" in fleet.inventory.settings(host) for host in fleet.inventory.hosts):
        return None
    from coreops.schedulers.protocol import ENGINE_UNITS
    from coreops.schedulers.settings import read as read_scheduler

    found = read_scheduler(fleet.inventory, request.connection)
    engine = ENGINE_UNITS.get(found.name, ()) if found else ()
    for host in fleet.chosen:
        for unit in engine:
            if found and host in found.targets and settings.hosts[host].drain.covers(unit):
                raise InputError(
                    f"upgrade_drain would stop {unit} on {host}",
                    where=next(iter(fleet.inventory.origin(host, "upgrade_drain")), request.playbook),
                    why=f"{found.name} needs it to move the work away, and coreops drains through {found.name}",
                    next="name only what the scheduler does not run",
                )
    return found


def plan(wishes: Wishes, run: str, looks: Mapping[str, Look], denied: Mapping[str, str]) -> Prepared:
    """Make the plans. denied: version -> why. Raises InputError, RefusedError."""
    request, fleet = wishes.request, wishes.fleet
    own = wishes.settings.hosts
    zones = set(request.zones)
    inside = [host for host in fleet.chosen if not zones or own[host].zone in zones]
    hosts = [host for host in inside if not own[host].excluded]
    seen = {host: looks[host].seen for host in hosts}
    found = {host: one for host, one in seen.items() if one is not None}
    _no_twins(fleet.inventory, found)
    untouched = {host: "not within --limit" for host in fleet.hosts if host not in fleet.chosen}
    untouched |= {host: "not in --zone" for host in fleet.chosen if host not in inside}
    untouched |= {host: f"excluded: {own[host].excluded}" for host in inside if own[host].excluded}
    if not found and hosts:
        raise next(look.error for host in hosts if (look := looks[host]).error is not None)
    store = store_of(looks)
    policy = _policy(wishes, hosts)
    if request.kind == "rollback":
        made, without = rounds.rollbacks(hosts, found, request.targets)
        untouched |= without
        if not made:
            why = "; ".join(f"{host}: {reason}" for host, reason in without.items())
            raise RefusedError("no node has anything to go back to", why=why, next="coreops status shows both slots")
    else:
        made = _upgrades(wishes, hosts, found, denied)
    stages = tuple(Stage(plan=_plan(wishes, run, one, policy, store, found), release=one.release) for one in made)
    return Prepared(wishes=wishes, looks=looks, store=store, stages=stages, untouched=untouched)


def _no_twins(inventory: Inventory, seen: Mapping[str, Observation]) -> None:
    """Two names for one machine would count it twice, and take it down while it is waited for."""
    hosts = [
        Seen(host, _identity(one), inventory.hosts[host].position, written.claims(inventory, host))
        for host, one in seen.items()
    ]
    for twin in twins(hosts):
        raise RefusedError(
            f"{twin.first.host} and {twin.second.host} have the same {twin.what}", why=twin.why, next=twin.advice
        )


def _identity(one: Observation) -> Identity:
    return Identity(
        machine_id=one.machine_id,
        boot_id=one.boot_id,
        hostname=one.hostname,
        macs=one.macs,
        addresses=one.addresses,
    )


def imagine(wishes: Wishes) -> Plan:
    """The plan for a rehearsal: every chosen host runs an older release, nobody leads the store yet."""
    fleet, own = wishes.fleet, wishes.settings.hosts
    hosts = [host for host in fleet.chosen if not own[host].excluded]
    if not hosts:
        raise InputError("there is no host to rehearse with", where=wishes.request.inventory)
    standing = [Standing(name=h, zone=own[h].zone, member=h in fleet.members, chosen=own[h].canary) for h in hosts]
    policy = _policy(wishes, hosts)
    nodes = order(standing, policy.canaries)
    version = wishes.request.version or "next"
    return Plan(run="rehearsal", version=version, sha256="rehearsed", nodes=nodes, policy=policy)


def _known_zones(request: Request, settings: Settings) -> None:
    known = {one.zone for one in settings.hosts.values() if one.zone}
    for zone in request.zones:
        if zone not in known:
            why = f"zones: {', '.join(sorted(known))}" if known else "no host of the inventory has a zone"
            raise InputError(f"unknown zone {zone!r}", where="--zone", why=why, next=did_you_mean(zone, known))


def _repository(settings: Settings) -> Repository:
    from coreops.upgrade.channel.reader import open_channel

    if not settings.repository:
        raise InputError(
            "no channel repository is named",
            where="--repository",
            next="set upgrade_repository in the inventory, or pass --repository URL or FOLDER",
        )
    if settings.root is None:
        raise InputError(
            "no root of trust is pinned",
            where="--root",
            why="without it nobody can tell a release from a forgery",
            next="set upgrade_root in the inventory to the path of the repository's first root.json, or pass --root",
        )
    return open_channel(settings.repository, settings.root)


def _known_channel(repository: Repository, settings: Settings) -> None:
    boards = repository.boards()
    known = {name for board in boards for name in repository.channels(board)}
    if settings.channel is None:
        raise InputError(
            "no channel is named",
            where="--channel",
            why=f"channels: {', '.join(sorted(known)) or 'none'}",
            next="set upgrade_channel in the inventory, or pass --channel or --version",
        )
    if settings.channel not in known:
        repository.release(settings.channel, boards[0] if boards else "")


def _upgrades(
    wishes: Wishes, hosts: Sequence[str], seen: Mapping[str, Observation], denied: Mapping[str, str]
) -> tuple[Round, ...]:
    repository, request = wishes.repository, wishes.request
    assert repository is not None

    left = {one.ticket.version for one in seen.values() if one.ticket and one.ticket.run in request.takes_over}
    version = request.version or (left.pop() if len(left) == 1 else "")

    def target(board: str) -> Release:
        if version:
            return repository.version(version, board)
        return repository.release(wishes.settings.channel or "", board)

    made = rounds.upgrades(hosts, seen, target, repository.releases(), allow_downgrade=request.allow_downgrade)
    for one in made:
        if one.version in denied and not request.start_none:
            under_way = "; coreops abort finishes what is under way" if request.takes_over else ""
            raise RefusedError(
                f"{one.version} is denied",
                why=denied[one.version],
                next=f"publish a better release, or: coreops deny clear {one.version}{under_way}",
            )
    return made


def _policy(wishes: Wishes, hosts: Sequence[str]) -> Policy:
    policy, members = wishes.settings.policy, wishes.fleet.members
    voters = [host for host in hosts if host in members]
    if len(members) == 1 and voters and not policy.allow_downtime and not wishes.request.start_none:
        raise RefusedError(
            f"{voters[0]} is the only member of the store: its reboot is downtime",
            why="a store of one member has nobody to take over",
            next="make it a store of three members, or accept the downtime with --allow-downtime",
        )
    most = quorum.tolerance(len(members))
    if voters and len(voters) == len(hosts) and policy.max_unavailable > max(1, most):
        raise RefusedError(
            f"--max-unavailable {policy.max_unavailable} is more than the store's quorum allows",
            why=f"all nodes are members of the store: {len(members)} members survive {counted(most, 'failure')}",
            next=f"use --max-unavailable {max(1, most)}",
        )
    return policy


def _plan(
    wishes: Wishes, run: str, cut: Round, policy: Policy, store: StoreView | None, seen: Mapping[str, Observation]
) -> Plan:
    fleet, request = wishes.fleet, wishes.request
    leader = store.leader if store else None
    own = wishes.settings.hosts
    standing = [
        Standing(
            name=host,
            zone=own[host].zone,
            member=host in fleet.members,
            leader=host == leader,
            chosen=own[host].canary,
            idle=(one := seen.get(host)) is None or (one.version == cut.version and one.ticket is None),
        )
        for host in cut.hosts
    ]
    return Plan(
        run=run,
        version=cut.version,
        sha256=cut.release.sha256 if cut.release else "",
        nodes=order(standing, policy.canaries),
        policy=policy,
        takes_over=frozenset(request.takes_over),
        start_none=request.start_none,
        deny_source=request.kind == "rollback",
    )
