"""A deterministic simulator of everything a rollout meets, and rehearsals on it. Pure: no I/O, no real time.

``world`` (time, power, etcd), ``machine`` and ``store`` are what is simulated; ``hands`` does what a coordinator asks;
``controller`` is a process that runs one; ``faults`` go wrong; ``invariants`` are what must hold whatever happens;
``seeds`` makes histories from numbers, ``rehearsal`` plays an operator's own plan, ``picture`` draws the result.
"""

from coreops.upgrade.rehearse.picture import picture
from coreops.upgrade.rehearse.rehearsal import Rehearsal, enlarge, rehearse, replay
from coreops.upgrade.rehearse.world import Durations

__all__ = ["Durations", "Rehearsal", "enlarge", "picture", "rehearse", "replay"]
