"""What a node is waited for when no rollout is alive to say so: read from the node, the ledger, and what the last run
said. Pure; one paragraph.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from coreops.errors import CoreopsError
from coreops.upgrade.ledger.protocol import Denial, Lease, describe
from coreops.upgrade.observation import Observation, Ticket
from coreops.upgrade.protocol import ROLLOUT

_STAGES = {
    "activated": "the new slot was made the next to boot",
    "good": "the new slot is proven and marked good; what was drained may still have to be started",
    "rolling back": "it was being sent back to its old slot",
}


def explain(
    node: str,
    seen: Observation | CoreopsError,
    leases: Sequence[Lease] = (),
    denials: Sequence[Denial] = (),
    last: str = "",
    unread: str = "",
) -> str:
    """last: what the newest run said of the node before it ended. unread: why the ledger could not be read."""
    return " ".join(_sentences(node, seen, leases, denials, last, unread))


def _sentences(
    node: str,
    seen: Observation | CoreopsError,
    leases: Sequence[Lease],
    denials: Sequence[Denial],
    last: str,
    unread: str,
) -> Iterator[str]:
    if isinstance(seen, Observation):
        yield from _node(node, seen)
    else:
        yield f"{node} gives no answer: {seen.what}" + (f" ({seen.why})." if seen.why else ".")
    if unread:
        yield f"Who holds leases, and which versions are denied, is not known: {unread}."
    held = [lease for lease in leases if lease.node in (node, ROLLOUT)]
    for lease in held:
        what = "The rollout's lease" if lease.node == ROLLOUT else "Its lease"
        yield f"{what} is held by {describe(lease)}."
    if last:
        yield f"The last run said: {last}."
    for denial in denials:
        if denial.node == node or (isinstance(seen, Observation) and denial.version in _versions(seen)):
            yield f"{denial.version} is denied: {denial.reason}."
    ticket = seen.ticket if isinstance(seen, Observation) else None
    yield "Next: bring the store back; nothing goes on without it." if unread else _next(seen, ticket, held)


def _node(node: str, seen: Observation) -> Iterator[str]:
    good = "" if seen.good else ", which is not marked good"
    yield f"{node} runs {seen.version} from {seen.slot}{good}, up for {seen.uptime:.0f} s."
    if seen.ticket:
        same = "has not rebooted since" if seen.ticket.boot_id == seen.boot_id else "has rebooted since"
        left = f"Run {seen.ticket.run} left it on the way to {seen.ticket.version}"
        yield f"{left}: {_STAGES[seen.ticket.stage]}; it {same}."
    elif seen.staged:
        release = seen.passive_version or "A release"
        yield f"{release} is staged in {seen.passive}; nothing boots it before a rollout says so."
    if seen.next and seen.next != seen.slot:
        yield f"The next boot goes to {seen.next}."
    if seen.drained:
        yield "coreops has drained it and has not undone that."
    if seen.cordoned:
        yield "An operator has cordoned it; coreops leaves that as it is."
    if seen.failed_units:
        yield f"Failed units: {', '.join(seen.failed_units)}."
    for blocker in seen.blockers:
        yield f"It must not be upgraded as it is: {blocker}."


def _versions(seen: Observation) -> set[str]:
    return {seen.version, seen.passive_version, seen.ticket.version if seen.ticket else ""} - {""}


def _next(seen: Observation | CoreopsError, ticket: Ticket | None, held: Sequence[Lease]) -> str:
    if any(lease.alive for lease in held):
        return "Next: wait for that controller, or ask it to end with coreops abort."
    if ticket or held:
        return "Next: coreops resume finishes what was under way."
    if not isinstance(seen, Observation):
        return "Next: look at its console and the network."
    if seen.blockers:
        return "Next: remove what blocks it, then coreops upgrade."
    return "Nothing is under way there."
