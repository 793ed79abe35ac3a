"""What goes wrong: one small injector per fault, each named, each about one or more of the failures that an upgrade
tool must survive (the numbers of docs/simulator.md). An injector is called once, before the first run; it sets traps
for commands, or waits for a moment. Knows the simulation; checks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from coreops.upgrade.rehearse.faults import controller, identity, ledger, network, policy, reboot, staging
from coreops.upgrade.rehearse.faults.fault import Fault

FAULTS: Mapping[str, Fault] = {
    fault.name: fault
    for table in (controller, ledger, staging, reboot, network, identity, policy)
    for fault in table.FAULTS
}
"""All of them, by name."""

_HOW_MANY = (0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 5, 6)


@dataclass(frozen=True, slots=True)
class Profile:
    """Which faults may be drawn, and how many at a time: one of ``how_many``, each as likely."""

    names: tuple[str, ...] = tuple(FAULTS)
    how_many: tuple[int, ...] = _HOW_MANY

    def draw(self, rng: Random) -> tuple[str, ...]:
        """Names, not sorted: that is the order in which they are injected."""
        return tuple(rng.sample(self.names, min(len(self.names), rng.choice(self.how_many))))


HARSH = Profile()
USUAL = Profile(how_many=(0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2))
"""For rehearsals: most rollouts meet nothing, or one fault."""

__all__ = ["FAULTS", "HARSH", "USUAL", "Fault", "Profile"]
