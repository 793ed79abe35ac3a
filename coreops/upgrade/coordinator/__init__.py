"""The coordinator: decides what happens to which node when. Pure: happenings in, commands out; no clock, no I/O.

Read ``place`` (where a node stands, by what is seen of it), ``paths`` (what is done from there, and what when that
fails), ``rules`` (when a node may go down), then ``coordinator`` (the machine that walks nodes along the paths).
"""

from coreops.upgrade.coordinator.coordinator import Coordinator
from coreops.upgrade.coordinator.outcome import Outcome
from coreops.upgrade.coordinator.rulebook import RULEBOOK, Rulebook

__all__ = ["RULEBOOK", "Coordinator", "Outcome", "Rulebook"]
