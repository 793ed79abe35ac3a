"""What is done to a node, in which order, and what follows when a part of it fails. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coreops.upgrade.coordinator.outcome import Outcome
from coreops.upgrade.coordinator.place import Place
from coreops.upgrade.protocol import Action


@dataclass(frozen=True, slots=True)
class Path:
    """Actions in order, and how the node ends behind them. None: it is ready (again), or a look decides."""

    actions: tuple[Action, ...]
    then: Outcome | None = None


# fmt: off
PATHS: Mapping[Place, Path] = {
    Place.CURRENT: Path((), Outcome.CURRENT),
    Place.BLOCKED: Path((), Outcome.BLOCKED),
    Place.STUCK:   Path((), Outcome.LOST),
    Place.STAGE:   Path((Action.STAGE,)),
    Place.READY:   Path((Action.LEASE, Action.GATE, Action.BEFORE_DRAIN, Action.CORDON, Action.DRAIN,
                         Action.BEFORE_REBOOT, Action.GATE, Action.ACTIVATE, Action.REBOOT, Action.SURVEY)),
    Place.PROVE:   Path((Action.LEASE, Action.AFTER_REBOOT, Action.CHECK, Action.MARK_GOOD, Action.UNDRAIN,
                         Action.RELEASE), Outcome.DONE),
    Place.FINISH:  Path((Action.LEASE, Action.UNDRAIN, Action.RELEASE), Outcome.DONE),
    Place.GO_BACK: Path((Action.LEASE, Action.ON_FAILURE, Action.GATE, Action.ROLL_BACK, Action.REBOOT,
                         Action.SURVEY)),
    Place.CLOSE:   Path((Action.LEASE, Action.DENY, Action.CHECK, Action.REVERT, Action.UNDRAIN, Action.RELEASE),
                        Outcome.ROLLED_BACK),
}
# fmt: on

LOOK = Path((Action.SURVEY,))
"""Where does it stand?"""

LET_GO = Path((Action.RELEASE,))
"""Nothing was done yet: give the lease back and wait for another turn."""

CALL_OFF = Path((Action.REVERT, Action.UNDRAIN, Action.RELEASE))
"""The work was moved away, but the node has not rebooted: put everything back."""


@dataclass(frozen=True, slots=True)
class Fallback:
    """What follows an action that failed for good. path None: the node ends where it is, as ``outcome``."""

    path: Path | None
    outcome: Outcome


_GO_BACK = Fallback(PATHS[Place.GO_BACK], Outcome.ROLLED_BACK)
_PUT_BACK = Fallback(Path((Action.ON_FAILURE, *CALL_OFF.actions)), Outcome.FAILED)
_GIVE_UP = Fallback(Path((Action.ON_FAILURE, *LET_GO.actions)), Outcome.FAILED)
_LOST = Fallback(None, Outcome.LOST)
_CARRY_ON = Fallback(Path((Action.RELEASE,)), Outcome.FAILED)

FALLBACKS: Mapping[Action, Fallback] = {
    Action.SURVEY: Fallback(None, Outcome.UNREACHABLE),
    Action.STAGE: Fallback(None, Outcome.FAILED),
    Action.LEASE: Fallback(None, Outcome.FAILED),
    Action.GATE: _GIVE_UP,
    Action.MOVE_LEADER: _GIVE_UP,
    Action.BEFORE_DRAIN: _GIVE_UP,
    Action.CORDON: _PUT_BACK,
    Action.DRAIN: _PUT_BACK,
    Action.BEFORE_REBOOT: _PUT_BACK,
    Action.ACTIVATE: _PUT_BACK,
    Action.REBOOT: _PUT_BACK,
    Action.AFTER_REBOOT: _GO_BACK,
    Action.CHECK: _GO_BACK,
    Action.MARK_GOOD: _GO_BACK,
    Action.UNDRAIN: _CARRY_ON,
    Action.DENY: _LOST,
    Action.REVERT: _LOST,
    Action.ROLL_BACK: _LOST,
}
"""Before the drain: nothing happened. After it: put everything back. After the reboot: back to the old slot."""


def blamed(action: Action, *, told: bool, half_done: bool) -> Action:
    """Whose fallback applies. told: the node itself said no, rather than nothing."""
    if action is Action.SURVEY and told:
        return Action.REBOOT  # it answers, from the boot that it was told to leave
    if action in (Action.GATE, Action.MOVE_LEADER) and half_done:
        return Action.DRAIN
    return action


NEVER_FATAL = frozenset({Action.ON_FAILURE, Action.RELEASE})
"""Their failure changes nothing about the node: it is told, and the path goes on."""

PATIENCE: Mapping[Action, str] = {
    Action.SURVEY: "survey",
    Action.STAGE: "stage",
    Action.LEASE: "lease",
    Action.RELEASE: "lease",
    Action.DENY: "lease",
    Action.GATE: "gate",
    Action.CHECK: "health",
    Action.DRAIN: "drain",
    Action.UNDRAIN: "drain",
    **dict.fromkeys((Action.BEFORE_DRAIN, Action.BEFORE_REBOOT, Action.AFTER_REBOOT, Action.ON_FAILURE), "hook"),
}
"""Which of ``plan.Patience`` an action has; the others have ``act``. A look after a reboot has ``back``."""

AGAIN = frozenset({Action.RELEASE, Action.DENY, Action.UNDRAIN, Action.MARK_GOOD, Action.REVERT, Action.ROLL_BACK})
"""Worth trying again, as long as patience lasts, also when the node itself said no."""

HOOKS = frozenset({Action.BEFORE_DRAIN, Action.BEFORE_REBOOT, Action.AFTER_REBOOT, Action.ON_FAILURE})

IN_THE_LEDGER = frozenset({Action.LEASE, Action.RELEASE, Action.DENY})
"""Their answers say nothing about the node."""

WITHOUT_BOOT = frozenset({Action.SURVEY, Action.LEASE, Action.RELEASE, Action.DENY, Action.ON_FAILURE})
"""Not bound to one boot of the node."""
