"""All that makes a rollout safe, as one value. The simulator's tests take one entry out at a time, and must see the
matching invariant break; an entry that nobody misses would have no business here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from coreops.upgrade.coordinator.paths import FALLBACKS, PATHS, Fallback, Path
from coreops.upgrade.coordinator.place import LANDED, Landed, Place
from coreops.upgrade.coordinator.rules import RULES, Rule, Situation, budget_spent
from coreops.upgrade.protocol import Action


@dataclass(frozen=True, slots=True)
class Rulebook:
    """rules: when a node may go down. stops: what ends the rollout. landed: what proves an upgrade. paths, fallbacks:
    what is done, in which order, and what follows a failure. moves_leader: leadership is handed over before the leader
    goes. unknown_is_down: a node counts as down until it was seen. heed_denials: a version that was denied before is
    not begun. same_machine: a node keeps its machine-id.
    """

    rules: tuple[Rule, ...] = RULES
    stops: tuple[Callable[[Situation], str], ...] = (budget_spent,)
    landed: tuple[Landed, ...] = LANDED
    paths: Mapping[Place, Path] = field(default_factory=lambda: PATHS)
    fallbacks: Mapping[Action, Fallback] = field(default_factory=lambda: FALLBACKS)
    moves_leader: bool = True
    unknown_is_down: bool = True
    heed_denials: bool = True
    same_machine: bool = True


RULEBOOK = Rulebook()
