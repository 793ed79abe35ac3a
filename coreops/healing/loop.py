"""Looks, decides, asks, acts: once, or again and again. Knows no terminal and no engine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from coreops.errors import CoreopsError, ExitCode, HostFailed, InterruptedRun, UnreachableError
from coreops.healing.decide import Act, Plan, decide
from coreops.healing.seen import Seen

EVERY = 10.0
_TRIES = 3
_PATIENCE = 60.0
"""Seconds until something that went wrong is tried again."""


@dataclass(slots=True)
class Healer:
    """approve: shows a plan, and says whether its acts may be done. tell: gets what goes on, in a line."""

    look: Callable[[], Seen]
    act: Callable[[Act], None]
    show: Callable[[Plan], None]
    approve: Callable[[Plan], bool]
    tell: Callable[[str], None]
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _approved: set[Act] = field(default_factory=set)
    _declined: set[Act] = field(default_factory=set)
    _tried: dict[Act, int] = field(default_factory=dict)

    def once(self) -> ExitCode:
        """Heal what can be healed now. Raises CoreopsError from an act."""
        plan = decide(self.look())
        self.show(plan)
        while plan.acts:
            if not self._may(plan):
                return ExitCode.REFUSED
            self._do(plan.acts[0])
            plan = decide(self.look())
            if not plan.acts:
                self.show(plan)
        return code(plan)

    def watch(self, after: float, every: float = EVERY) -> None:
        """Until somebody ends it. after: seconds of silence from which a machine is given up."""
        shown: tuple[str, ...] | None = None
        retry: float | None = None
        while True:
            plan = decide(self.look(), after)
            if (said := _said(plan)) != shown:
                shown = said
                self.show(plan)
            wait = retry is not None and self.clock() < retry
            if plan.acts and not wait and not set(plan.acts) <= self._declined and self._may(plan):
                try:
                    self._do(plan.acts[0])
                    retry = None
                    continue
                except InterruptedRun:
                    raise
                except CoreopsError as error:
                    self.tell(str(error))
                    retry = self.clock() + _PATIENCE
                    self._tried.clear()
            self.sleep(every)

    def _may(self, plan: Plan) -> bool:
        if set(plan.acts) <= self._approved:
            return True
        if not self.approve(plan):
            self._declined |= set(plan.acts)
            return False
        self._approved |= set(plan.acts)
        return True

    def _do(self, act: Act) -> None:
        self._tried[act] = self._tried.get(act, 0) + 1
        if self._tried[act] > _TRIES:
            raise HostFailed(
                f"did {_TRIES} times, and it is still due: {act}", next="look at the nodes; coreops bootstrap says more"
            )
        self.tell(str(act))
        try:
            self.act(act)
        except UnreachableError as error:
            if self._tried[act] >= _TRIES:
                raise
            self.tell(f"{error.what}; looking again")


def code(plan: Plan) -> ExitCode:
    """What a plan without acts means for who asked for health."""
    if plan.refused:
        return ExitCode.REFUSED
    return ExitCode.UNREACHABLE if any(each.dead for each in plan.waiting) else ExitCode.DONE


def _said(plan: Plan) -> tuple[str, ...]:
    """What a plan says, but for how long something is silent."""
    return (
        *(str(act) for act in plan.acts),
        *(f"{each.host} {each.dead}" for each in plan.waiting),
        *(each.what for each in plan.refused),
    )
