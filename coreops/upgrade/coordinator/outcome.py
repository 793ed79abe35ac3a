"""How a node ends: every node of a plan in exactly one of these (invariant I9)."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum


class Outcome(StrEnum):
    """
    done         runs the release: boot id changed, slot and version read back, health held for the soak, marked good
    current      ran it already; not touched
    rolled_back  runs its old release again; the new one is denied
    failed       did not get the release, and was left as it was found (or ``why`` says what is left to do)
    lost         something is half done and needs the operator or ``resume``; its lease is kept
    unreachable  could not be asked; not touched
    blocked      must not be upgraded as it is; not touched
    not_reached  its turn never came
    """

    DONE = "done"
    CURRENT = "current"
    ROLLED_BACK = "rolled back"
    FAILED = "failed"
    LOST = "lost"
    UNREACHABLE = "unreachable"
    BLOCKED = "blocked"
    NOT_REACHED = "not reached"


WELL = frozenset({Outcome.DONE, Outcome.CURRENT})
"""What an operator wanted."""
FAILURES = frozenset({Outcome.ROLLED_BACK, Outcome.FAILED, Outcome.LOST, Outcome.UNREACHABLE, Outcome.BLOCKED})
"""What the failure budget counts."""
LEFT_ALONE = frozenset({Outcome.FAILED, Outcome.NOT_REACHED})
"""What may be said only of a node that answers, and on which nothing of us is left."""
DOWN = frozenset({Outcome.LOST, Outcome.UNREACHABLE})
"""What counts as unavailable for good."""


def exit_code(ends: Collection[Outcome], refused: bool) -> int:
    """DESIGN's exit codes. refused: the rollout as a whole was not begun, for safety."""
    if not {Outcome.FAILED, Outcome.ROLLED_BACK, Outcome.LOST}.isdisjoint(ends):
        return 1
    if Outcome.UNREACHABLE in ends:
        return 3
    if refused or Outcome.BLOCKED in ends:
        return 4
    return 0 if WELL.issuperset(ends) else 5
