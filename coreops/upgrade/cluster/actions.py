"""What each action of the protocol is on a real node: a table from action to function, each one exchange or two. An
error is raised, never returned; what was done is read back by those who made the step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from coreops.errors import CoreopsError, HostFailed
from coreops.events import Notice
from coreops.model import ShellStep
from coreops.store import etcdctl
from coreops.upgrade.cluster import looks
from coreops.upgrade.cluster.lanes import beside
from coreops.upgrade.cluster.scheduling import Scheduling
from coreops.upgrade.cluster.world import World
from coreops.upgrade.gates.etcd import host_of
from coreops.upgrade.gates.spec import Moment
from coreops.upgrade.guard import Guard
from coreops.upgrade.observation import Health, Observation, Ticket
from coreops.upgrade.protocol import ROLLOUT, Action, Did, Do

Carry = Callable[[World, Do, str], Did]


def _survey(world: World, do: Do, note: str) -> Did:
    seen = looks.look(world.nodes, world.driver, do.node)
    world.seen[do.node] = seen
    world.nodes.is_back(do.node)
    return Did(do.node, do.serial, seen=seen)


def _stage(world: World, do: Do, note: str) -> Did:
    if world.release is None or world.image is None:
        raise HostFailed("there is no image to stage", where=do.node)

    def tell(done: int, total: int) -> None:
        world.nodes.part_of(do.node, done, total)

    world.nodes.run(do.node, world.driver.stage(world.release, world.image, _guard(do), tell))
    world.seen[do.node] = replace(world.seen[do.node], staged=world.release.sha256)
    return Did(do.node, do.serial)


def _lease(world: World, do: Do, note: str) -> Did:
    seen = world.seen.get(do.node)
    lease = world.ledger.acquire(
        do.node,
        reason=f"upgrade to {world.version}" if world.version else "finish what is under way",
        boot_id=seen.boot_id if seen else "",
        takes_over=world.takes_over,
    )
    denied = frozenset(one.version for one in world.ledger.denied()) if do.node == ROLLOUT else frozenset[str]()
    return Did(do.node, do.serial, token=lease.token, denied=denied)


def _release(world: World, do: Do, note: str) -> Did:
    world.ledger.release(do.node)
    return Did(do.node, do.serial)


def _deny(world: World, do: Do, note: str) -> Did:
    world.ledger.deny(do.detail, do.node, note or "failed there")
    return Did(do.node, do.serial)


def _gate(world: World, do: Do, note: str) -> Did:
    return Did(do.node, do.serial, health=_health(world, do.node, "before"))


def _check(world: World, do: Do, note: str) -> Did:
    return Did(do.node, do.serial, health=_health(world, do.node, "after", _baseline(world, do.node)))


def _health(world: World, node: str, moment: Moment, baseline: tuple[str, ...] = ()) -> Health:
    """What the node says, and beside that what the scheduler says of it."""
    scheduling = _scheduling(world, node)
    listed = beside(scheduling.look) if scheduling else None
    records = world.nodes.ask(node, world.gates.steps(node, moment))
    health = world.gates.judge(node, moment, records, baseline)
    return scheduling.judged(node, moment, health, listed()) if scheduling and listed else health


def _move_leader(world: World, do: Do, note: str) -> Did:
    urls = [member.client_url for member in world.members.values()]
    question = etcdctl.line("-w", "json", "member", "list", endpoints=urls)
    listed = world.nodes.ask(do.node, [ShellStep(id="members", title="list the members", probe=question)])["members"]
    known = etcdctl.parse_members(listed.stdout.decode(errors="replace"))
    hosts = tuple(world.members.values())
    to = next((entry.id for entry in known if host_of(entry, hosts) == do.detail), None)
    if to is None:
        raise HostFailed(f"the store has no member {do.detail}", where=do.node)
    world.nodes.ask(do.node, [etcdctl.move_leader("move", to, urls)])
    return Did(do.node, do.serial)


def _cordon(world: World, do: Do, note: str) -> Did:
    """The node remembers first: whoever finds it so will also ask the scheduler to undo."""
    with _noting(world, do):
        world.nodes.ask(do.node, world.drains[do.node].cordon(_guard(do)))
        if scheduling := _scheduling(world, do.node):
            scheduling.cordon(do.node, do.token, _within(world.patience.act))
    return Did(do.node, do.serial)


def _drain(world: World, do: Do, note: str) -> Did:
    """The scheduler's work first: it moves, where a unit only stops."""
    drain, guard, patience = world.drains[do.node], _guard(do), _within(world.patience.drain)
    cordon, stop = drain.cordon(guard), drain.drain(guard, patience)
    with _noting(world, do):
        if scheduling := _scheduling(world, do.node):
            world.nodes.ask(do.node, cordon)
            scheduling.drain(do.node, do.token, patience)
            cordon = ()
        world.nodes.ask(do.node, [*cordon, *stop])
    return Did(do.node, do.serial)


def _activate(world: World, do: Do, note: str) -> Did:
    ticket = _ticket(world, do)
    with _noting(world, do):
        world.nodes.ask(do.node, [world.driver.activate(ticket, _guard(do))])
    world.seen[do.node] = replace(world.seen[do.node], ticket=ticket)
    return Did(do.node, do.serial)


def _reboot(world: World, do: Do, note: str) -> Did:
    try:
        world.nodes.ask(do.node, [world.driver.reboot(_guard(do))])
    finally:  # also when the answer was lost: perhaps it reboots
        world.nodes.expect_back(do.node)
    return Did(do.node, do.serial)


def _mark_good(world: World, do: Do, note: str) -> Did:
    world.nodes.ask(do.node, [world.driver.mark_good(_guard(do))])
    return Did(do.node, do.serial)


def _revert(world: World, do: Do, note: str) -> Did:
    world.nodes.ask(do.node, [world.driver.revert(_guard(do))])
    return Did(do.node, do.serial)


def _roll_back(world: World, do: Do, note: str) -> Did:
    with _noting(world, do):
        world.nodes.ask(do.node, [world.driver.roll_back(_guard(do))])
    return Did(do.node, do.serial)


def _undrain(world: World, do: Do, note: str) -> Did:
    """The node forgets last."""
    drain, guard, patience = world.drains[do.node], _guard(do), _within(world.patience.drain)
    if scheduling := _scheduling(world, do.node):
        scheduling.uncordon(do.node, do.token, patience)
    world.nodes.ask(do.node, [*drain.uncordon(guard, patience), world.driver.finish(guard)])
    return Did(do.node, do.serial)


def _hook(world: World, do: Do, note: str) -> Did:
    seen = world.seen.get(do.node)
    program = world.hooks.program(
        do.action.value,
        do.node,
        {
            "upgrade_version": world.version,
            "upgrade_from": seen.version if seen else "",
            "upgrade_slot": seen.slot if seen else "",
        },
    )
    if program is not None:
        world.nodes.run(do.node, program)
    return Did(do.node, do.serial)


ACTIONS: Mapping[Action, Carry] = {
    Action.SURVEY: _survey,
    Action.STAGE: _stage,
    Action.LEASE: _lease,
    Action.GATE: _gate,
    Action.CHECK: _check,
    Action.MOVE_LEADER: _move_leader,
    Action.BEFORE_DRAIN: _hook,
    Action.CORDON: _cordon,
    Action.DRAIN: _drain,
    Action.BEFORE_REBOOT: _hook,
    Action.ACTIVATE: _activate,
    Action.REBOOT: _reboot,
    Action.AFTER_REBOOT: _hook,
    Action.MARK_GOOD: _mark_good,
    Action.REVERT: _revert,
    Action.ROLL_BACK: _roll_back,
    Action.ON_FAILURE: _hook,
    Action.UNDRAIN: _undrain,
    Action.DENY: _deny,
    Action.RELEASE: _release,
}


def _scheduling(world: World, node: str) -> Scheduling | None:
    return world.scheduling if world.scheduling and node in world.scheduling.hosts else None


def _guard(do: Do) -> Guard:
    return Guard(do.boot_id, do.token)


def _within(patience: float) -> float:
    """The node's own deadline: it is to say what is wrong before patience with it ends."""
    return patience - min(10.0, patience / 4)


def _baseline(world: World, node: str) -> tuple[str, ...]:
    """What had failed before the turn: the ticket remembers it through the reboot."""
    seen = world.seen.get(node)
    if seen is None:
        return ()
    return seen.ticket.failed_units if seen.ticket else seen.failed_units


def _ticket(world: World, do: Do) -> Ticket:
    seen: Observation = world.seen[do.node]
    return Ticket(
        run=world.run,
        version=world.version,
        sha256=world.release.sha256 if world.release else "",
        slot=seen.passive,
        boot_id=seen.boot_id,
        stage="activated",
        failed_units=_baseline(world, do.node),
    )


@contextmanager
def _noting(world: World, do: Do) -> Iterator[None]:
    """Say in the lease what is done, for those who find it when this controller has died; it is said when this ends."""

    def note() -> None:
        try:
            world.ledger.note(do.node, _NOTES.get(do.action, do.action.value))
        except CoreopsError as error:
            world.emit(Notice(f"the lease could not be marked with {do.action.value}: {error.what}", do.node))

    noted = beside(note)
    try:
        yield
    finally:
        noted()


_NOTES: Mapping[Action, str] = {Action.ACTIVATE: "activate, reboot", Action.ROLL_BACK: "roll back, reboot"}
"""A reboot follows: it would be too late then, where the ledger stands on the node itself."""
