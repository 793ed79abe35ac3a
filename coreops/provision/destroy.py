"""Removes machines that carry our mark, many at a time, and looks again whether they are gone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from coreops.errors import CoreopsError
from coreops.events import Emit, Notice
from coreops.providers.protocol import Machine
from coreops.provision.at_once import at_once
from coreops.provision.book import Book
from coreops.provision.create import FORKS
from coreops.provision.outcome import Outcome
from coreops.provision.share import Share

WAIT: Final = 300.0
_PAUSE: Final = 1.0


@dataclass(frozen=True, slots=True)
class Doomed:
    """A machine to be removed, and whose it is."""

    share: Share
    machine: Machine


def destroy(
    doomed: Sequence[Doomed], book: Book, emit: Emit, *, forks: int = FORKS, wait: float = WAIT
) -> tuple[Outcome, ...]:
    """Remove machines; return how each ended."""

    def remove(each: Doomed) -> Outcome:
        emit(Notice(f"destroy {each.machine.id}", each.machine.node))
        try:
            each.share.provider.destroy(each.machine)
        except CoreopsError as error:
            emit(Notice(f"failed: {error.why or error.what}", each.machine.node))
            return Outcome(each.machine.node, "failed", each.machine, error)
        return Outcome(each.machine.node, "destroyed", each.machine)

    outcomes = at_once(remove, doomed, forks)
    asked = [each for each, outcome in zip(doomed, outcomes, strict=True) if outcome.error is None]
    there = _still_there(asked, wait)
    done = []
    for outcome in outcomes:
        machine = outcome.machine
        assert machine is not None
        if outcome.error is not None:
            done.append(outcome)
        elif machine.id in there:
            done.append(Outcome(outcome.node, "failed", machine, there[machine.id]))
        else:
            book.forget(machine)
            done.append(outcome)
    book.flush()
    return tuple(done)


def _still_there(asked: Sequence[Doomed], wait: float) -> dict[str, CoreopsError]:
    """The ids of machines that do not go away, or of which nobody can say whether they did."""
    deadline = time.monotonic() + wait
    waiting = {id(each.share): each.share for each in asked}
    ids = {key: {each.machine.id for each in asked if each.share is share} for key, share in waiting.items()}
    there: dict[str, CoreopsError] = {}
    while waiting:
        last = time.monotonic() >= deadline
        for key, share in list(waiting.items()):
            try:
                left = ids[key] & {machine.id for machine in share.provider.observe(share.cluster)}
            except CoreopsError as error:
                there |= dict.fromkeys(ids[key], error)
                left = set()
            if left and not last:
                continue
            late = CoreopsError(f"still there after {wait:g} s", next="run the same command again")
            there |= dict.fromkeys(left, late)
            del waiting[key]
        if waiting:
            time.sleep(min(_PAUSE, max(deadline - time.monotonic(), 0)))
    return there
