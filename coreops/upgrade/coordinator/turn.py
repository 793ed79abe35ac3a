"""One node's way through a rollout: where it stands, what is left to do, what is being waited for. Data only."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from coreops.upgrade.coordinator.outcome import Outcome
from coreops.upgrade.coordinator.paths import HOOKS, IN_THE_LEDGER
from coreops.upgrade.coordinator.place import Place
from coreops.upgrade.observation import Observation
from coreops.upgrade.plan import Policy
from coreops.upgrade.protocol import Action


@dataclass(slots=True)
class Turn:
    """rank: place in the plan's order. left: actions still to do, the present one first. then: how it ends behind them.
    serial: of the command that is under way, 0 for none. since: when the present action was first asked for; until:
    when patience with it ends. token: of the node's lease, 0 without. boot_id: the boot the next action is meant for;
    left_boot: the boot that a reboot was ordered in, "" when none was. half_done: something of us is on the node.
    silent: its last word was none. said: why the last try of the present action failed. asked: when the present try was
    sent. well_since, samples: the unbroken row of good health samples. began: when the lease was taken.
    """

    node: str
    rank: int
    place: Place | None = None
    left: deque[Action] = field(default_factory=deque)
    then: Outcome | None = None
    serial: int = 0
    since: float = 0.0
    until: float = 0.0
    token: int = 0
    boot_id: str = ""
    left_boot: str = ""
    machine_id: str = ""
    seen: Observation | None = None
    half_done: bool = False
    returning: bool = False
    silent: bool = False
    said: str = ""
    asked: float = 0.0
    well_since: float = -1.0
    samples: int = 0
    began: float = 0.0
    outcome: Outcome | None = None
    why: str = ""

    @property
    def action(self) -> Action | None:
        """What is being done, or comes next."""
        return self.left[0] if self.left else None

    def heard(self, answered: bool) -> None:
        """Did the node itself say something?"""
        if self.left[0] not in IN_THE_LEDGER:
            self.silent = not answered

    def silence(self, now: float) -> str:
        """Patience has ended without an answer. What an earlier try said tells more than that."""
        return f"no answer for {now - self.since:.0f} s" + (f"; before that: {self.said}" if self.said else "")

    def needless(self, policy: Policy) -> bool:
        """Can the next action be left out? A node that goes alone is cordoned by its drain."""
        action = self.left[0]
        if action in HOOKS:
            return action.value not in policy.hooks
        if action is Action.CORDON:
            return policy.max_unavailable == 1
        return (action is Action.LEASE and self.token != 0) or (action is Action.RELEASE and self.token == 0)

    @property
    def holds(self) -> bool:
        """Would somebody else find something of us there?"""
        return self.half_done or self.token != 0

    @property
    def phase(self) -> str:
        """One word for people: the outcome, the action, or that it waits for its turn."""
        if self.outcome is not None:
            return self.outcome.value
        if self.action is None:
            return "ready"
        if self.action is Action.SURVEY and self.returning:
            return "return"
        return self.action.value.replace("_", " ")
