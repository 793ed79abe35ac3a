"""Carries out what the coordinator says: a ``Do`` goes to its node's lane, the answer into one queue. Whatever happens,
every Do is answered once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from queue import SimpleQueue

from coreops.errors import CoreopsError, UnreachableError
from coreops.schedulers.protocol import Fenced
from coreops.upgrade.cluster.actions import ACTIONS
from coreops.upgrade.cluster.lanes import Lanes
from coreops.upgrade.cluster.nodes import StepFailed
from coreops.upgrade.cluster.world import World
from coreops.upgrade.guard import failure_kind
from coreops.upgrade.ledger.protocol import Busy
from coreops.upgrade.observation import Observation
from coreops.upgrade.protocol import ROLLOUT, Action, Do, Failed, FailureKind, Happening, LeaseLost

SIGNS = 4.5
"""Of life that go to the ledger in the time for which it may be silent (``Patience.silence``), which ends well before
others may take the leases for abandoned.
"""
_LAST_SIGN = 10.0


class Cluster:
    """The real cluster. ``answers``: what happened; an exception in it is a bug of ours."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.answers: SimpleQueue[Happening | Exception] = SimpleQueue()
        self._lanes = Lanes()
        self._ended = threading.Event()
        self._heart: threading.Thread | None = None

    def send(self, do: Do, note: str = "") -> None:
        """Do it as soon as the node is free; one that is still busy with something given up is hung up on.

        note: why, for actions that leave a reason behind.
        """
        behind = self._lanes.put(do.node, lambda: self._carry_out(do, note), heavy=do.action is Action.STAGE)
        if behind and do.node != ROLLOUT:
            self.world.nodes.hang_up(do.node)

    @property
    def seen(self) -> Mapping[str, Observation]:
        """What each node was last seen to be."""
        return self.world.seen

    def keep_alive(self) -> None:
        """Begin to renew the leases until ``close``."""
        self._heart = threading.Thread(target=self._beat, name="coreops-leases", daemon=True)
        self._heart.start()

    def close(self) -> None:
        """No more signs of life from here; what is still under way on nodes is not waited for."""
        self._ended.set()
        if self._heart is not None:
            self._heart.join(timeout=_LAST_SIGN)

    def _carry_out(self, do: Do, note: str) -> None:
        try:
            self.answers.put(ACTIONS[do.action](self.world, do, note))
        except CoreopsError as error:
            self.answers.put(answer(do, error))
        except Exception as error:
            self.answers.put(error)

    def _beat(self) -> None:
        alive, patience = time.monotonic(), self.world.patience.silence
        while not self._ended.wait(patience / SIGNS):
            try:
                lost = self.world.ledger.renew()
                alive = time.monotonic()
            except CoreopsError as error:
                silent = time.monotonic() - alive
                # A ledger that stands on the node which we reboot is out of everybody's reach until that is back.
                if silent > patience and not self.world.nodes.expects(self.world.ledger.unheard):
                    self.answers.put(LeaseLost(ROLLOUT, f"could not be renewed for {silent:.0f} s: {error.what}"))
                continue
            except Exception as error:
                self.answers.put(error)
                return
            for lease in lost:
                self.answers.put(LeaseLost(lease.node, "somebody else took it, or released it by force"))


def answer(do: Do, error: CoreopsError) -> Failed:
    """What the coordinator is told of an error."""
    why = f"{error.what}: {error.why}" if error.why else error.what
    return Failed(do.node, do.serial, why, kind_of(error))


def kind_of(error: CoreopsError) -> FailureKind:
    """The first row of the table that fits."""
    return next(kind(error) for fits, kind in _KINDS if isinstance(error, fits))


def _step(error: CoreopsError) -> FailureKind:
    return failure_kind(error.record) if isinstance(error, StepFailed) else "failed"


def _unreachable(error: CoreopsError) -> FailureKind:
    return "identity" if isinstance(error, UnreachableError) and error.kind == "host key" else "unreachable"


_KINDS: tuple[tuple[type[CoreopsError], Callable[[CoreopsError], FailureKind]], ...] = (
    (StepFailed, _step),
    (UnreachableError, _unreachable),
    (Busy, lambda error: "busy"),
    (Fenced, lambda error: "fenced"),
    (CoreopsError, lambda error: "failed"),
)
