"""Where a node stands, read from one look at it and nothing else. The same question at the start, after a reboot, and
when ``resume`` finds what a dead controller left: nothing is remembered that can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

from coreops.upgrade.observation import Observation, Ticket
from coreops.upgrade.plan import Plan


class Place(StrEnum):
    """
    current     runs the release, proven, nothing left to do
    blocked     must not be touched
    stage       the release is not in the passive slot yet
    ready       staged (perhaps drained and activated too), not rebooted
    prove       runs the release, which has yet to prove itself
    finish      runs the release, proven; perhaps still drained
    go_back     runs something it should not: the old slot must boot again
    close       is back on the old slot
    stuck       was sent back to the old slot and did not go
    """

    CURRENT = "current"
    BLOCKED = "blocked"
    STAGE = "stage"
    READY = "ready"
    PROVE = "prove"
    FINISH = "finish"
    GO_BACK = "go back"
    CLOSE = "close"
    STUCK = "stuck"


BACKWARDS = frozenset({Place.GO_BACK, Place.CLOSE})
"""On the way to the old slot, or back on it: there is nothing left to fall back to."""

Landed = Callable[[Ticket, Observation, Plan], bool]


def another_boot(ticket: Ticket, seen: Observation, plan: Plan) -> bool:
    """A command that exited 0 is no reboot; a new boot id is."""
    return seen.boot_id != ticket.boot_id


def right_slot(ticket: Ticket, seen: Observation, plan: Plan) -> bool:
    """/usr is mounted from the slot that the release was written to."""
    return seen.slot == ticket.slot


def right_version(ticket: Ticket, seen: Observation, plan: Plan) -> bool:
    """What runs says it is the release."""
    return seen.version == plan.version


LANDED: tuple[Landed, ...] = (another_boot, right_slot, right_version)
"""A node runs the release when all of these hold (invariant I5; the fourth part, health, comes after)."""


def place(seen: Observation, plan: Plan, landed: Sequence[Landed] = LANDED) -> tuple[Place, str]:
    """Return where the node stands, and why in half a sentence."""
    ticket = seen.ticket
    if ticket is None:
        return _untouched(seen, plan)
    if ticket.version != plan.version:
        return Place.BLOCKED, (
            f"is in the middle of an upgrade to {ticket.version} (run {ticket.run}): finish that with coreops resume"
        )
    if all(check(ticket, seen, plan) for check in landed) and ticket.stage != "rolling back":
        return (Place.FINISH if ticket.stage == "good" else Place.PROVE), f"runs {plan.version}"
    if not another_boot(ticket, seen, plan):
        if ticket.stage == "rolling back":
            return Place.GO_BACK, f"was about to go back from {plan.version}"
        return Place.READY, "was about to reboot"
    if seen.slot != ticket.slot:
        back = "went back" if ticket.stage == "rolling back" else "came back"
        return Place.CLOSE, f"{back} on the old slot {seen.slot} with {seen.version}"
    if ticket.stage == "rolling back":
        return Place.STUCK, f"was sent back to the old slot but booted {seen.slot} again"
    return Place.GO_BACK, f"booted {seen.slot}, but that runs {seen.version}, not {plan.version}"


def _untouched(seen: Observation, plan: Plan) -> tuple[Place, str]:
    if seen.version == plan.version and seen.good:
        return (Place.FINISH if seen.drained else Place.CURRENT), f"runs {plan.version}"
    if seen.blockers:
        return Place.BLOCKED, "; ".join(seen.blockers)
    if not seen.good:
        return Place.BLOCKED, (
            f"runs {seen.version} from a slot that is not marked good: the other slot may be the only one that boots"
        )
    if not seen.passive:
        return Place.BLOCKED, "has no second slot"
    if plan.sha256:
        return (Place.READY, "staged") if seen.staged == plan.sha256 else (Place.STAGE, "not staged yet")
    if seen.passive_version == plan.version:
        return Place.READY, f"holds {plan.version} in {seen.passive}"
    holds = seen.passive_version or "nothing that boots"
    return Place.BLOCKED, f"cannot go back to {plan.version}: its other slot holds {holds}"
