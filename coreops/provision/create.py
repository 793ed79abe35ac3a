"""Makes and starts the machines that are missing, many at a time, and waits until they can be trusted.

A machine that fails takes no other one with it, and is finished by a second run. What is learned is kept at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from coreops.errors import CoreopsError
from coreops.events import Emit, Notice
from coreops.providers.protocol import Action, Change, Machine
from coreops.provision.at_once import at_once
from coreops.provision.book import Book
from coreops.provision.outcome import Outcome, State
from coreops.provision.share import Survey

FORKS: Final = 10
WAIT: Final = 300.0
_DONE: Final[dict[Action, State]] = {"create": "created", "start": "started"}
_FASTEST: Final = 0.2
_SLOWEST: Final = 5.0
_QUIET: Final = 15.0
"""Seconds before the first word about what is waited for."""
_TELL: Final = 60.0
_NAMED: Final = 5
_NO_KEY: Final = "it runs, but its host key is not known"
_OWN_KEY: Final = (
    "where the provider never shows one, a line of yours in known_hosts beside the inventory ends the wait"
)
Reached = Callable[[str], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Creation:
    """How it is done. reached: the names that a node is reached by, besides its addresses. wait: seconds for all."""

    book: Book
    emit: Emit
    reached: Reached = field(default=lambda node: ())
    forks: int = FORKS
    wait: float = WAIT

    def run(self, surveys: Sequence[Survey]) -> tuple[Outcome, ...]:
        """Return how each wanted machine ended up, a provider's after another's."""
        work = [(survey, change) for survey in surveys for change in survey.changes if change.action != "remove"]
        try:
            made = at_once(lambda item: self._make(*item), work, self.forks)
            done: list[Outcome] = []
            deadline = time.monotonic() + self.wait
            for survey in surveys:
                mine = [outcome for outcome, (of, _) in zip(made, work, strict=True) if of is survey]
                done += self._settled(survey, mine, deadline)
        finally:
            self.book.flush()
        return tuple(done)

    def _make(self, survey: Survey, change: Change) -> Outcome:
        if change.action not in _DONE:
            if change.action == "replace":
                self.emit(Notice(f"differs, and is left alone: {change.why}", change.node))
            return Outcome(change.node, "kept", survey.machine(change.node))
        self.emit(Notice(f"{change.action}: {change.why}", change.node))
        try:
            machine = survey.share.provider.create(survey.wanted(change.node))
            self._learn(survey, machine, self.book.keys(machine))
        except CoreopsError as error:
            self.emit(Notice(f"failed: {error.why or error.what}", change.node))
            return Outcome(change.node, "failed", error=error)
        self.emit(Notice(f"{machine.id} is {machine.state}", change.node))
        return Outcome(change.node, _DONE[change.action], machine)

    def _settled(self, survey: Survey, outcomes: list[Outcome], deadline: float) -> list[Outcome]:
        """Wait until the machines run and their host keys are known; who does not get there has failed."""
        waiting = {each.node: each for each in outcomes if each.machine is not None}
        ready: dict[str, Outcome] = {}
        pause, tell_at = _FASTEST, time.monotonic() + _QUIET
        while waiting:
            try:
                found = {machine.node: machine for machine in survey.share.provider.observe(survey.share.cluster)}
            except CoreopsError as error:
                ready |= {node: replace(each, state="failed", error=error) for node, each in waiting.items()}
                break
            last = time.monotonic() >= deadline
            looks = [(survey, each, found.get(each.node)) for each in waiting.values()]
            lacking: dict[str, list[str]] = {}
            for node, done in zip(
                tuple(waiting), at_once(lambda look: self._look(*look), looks, self.forks), strict=True
            ):
                if isinstance(done, str) and not last:
                    lacking.setdefault(done, []).append(node)
                    continue
                each = waiting.pop(node)
                ready[node] = (
                    replace(each, state="failed", machine=found.get(node), error=self._late(node, done))
                    if isinstance(done, str)
                    else done
                )
            now = time.monotonic()
            if lacking and now >= tell_at:
                self._tell(lacking, deadline - now)
                tell_at = now + _TELL
            if waiting:
                time.sleep(min(pause, max(deadline - now, 0)))
                pause = min(pause * 1.5, _SLOWEST)
        return [ready.get(each.node, each) for each in outcomes]

    def _look(self, survey: Survey, outcome: Outcome, machine: Machine | None) -> Outcome | str:
        """The end of a machine's wait, or what it lacks."""
        if machine is None or (lacks := _lacks(machine)):
            return lacks if machine else "the provider no longer lists it"
        try:
            keys = self.book.keys(machine) or survey.share.provider.host_keys(machine)
            self._learn(survey, machine, keys)
        except CoreopsError as error:
            return replace(outcome, state="failed", machine=machine, error=error)
        if keys or self.book.trusts(machine, self.reached(machine.node)):
            return replace(outcome, machine=machine)
        return _NO_KEY

    def _tell(self, lacking: dict[str, list[str]], left: float) -> None:
        """Nobody is to wonder what takes so long."""
        for lacks, nodes in lacking.items():
            first = ", ".join(nodes[:_NAMED]) + (f" and {len(nodes) - _NAMED} more" if len(nodes) > _NAMED else "")
            advice = f"; {_OWN_KEY}" if lacks == _NO_KEY else ""
            self.emit(Notice(f"waiting, at most {left:.0f} s more, for {first}: {lacks}{advice}"))

    def _learn(self, survey: Survey, machine: Machine, keys: Sequence[str]) -> None:
        share = survey.share
        old = self.book.learn(share.provider.name, share.cluster, machine, keys, self.reached(machine.node))
        if old:
            told = f"{machine.id} has taken the place of {old}, whose host keys are no longer in known_hosts"
            self.emit(Notice(told, machine.node))

    def _late(self, node: str, lacks: str) -> CoreopsError:
        return CoreopsError(
            f"not ready after {self.wait:g} s",
            where=node,
            why=lacks,
            next=f"`coreops console {node}` shows how far it is; run the same command again to wait on"
            + (f"; {_OWN_KEY}" if lacks == _NO_KEY else ""),
        )


def _lacks(machine: Machine) -> str:
    """What a machine needs before anybody can connect to it."""
    if machine.state != "running":
        return f"it is {machine.state}"
    return "" if machine.addresses else "it has no address"
