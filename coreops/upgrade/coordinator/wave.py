"""Nodes whose turns are under way together are all cordoned before the work of the first of them is moved: else it
would move to one that goes next, and have to move again (as Nomad's guide has it: all of a batch ineligible first).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from coreops.upgrade.coordinator.rules import Situation
from coreops.upgrade.coordinator.turn import Turn
from coreops.upgrade.protocol import Action

_ON_THE_WAY = frozenset({Action.LEASE, Action.GATE, Action.MOVE_LEADER, Action.BEFORE_DRAIN})


class Wave:
    """Those that are cordoned and wait for the others."""

    def __init__(self) -> None:
        self._waiting: list[Turn] = []

    def join(self, turn: Turn) -> None:
        """It is cordoned; its drain comes next."""
        self._waiting.append(turn)

    def leave(self, s: Situation, turns: Mapping[str, Turn]) -> Iterator[Turn]:
        """Whose work may be moved now: everybody's, or nobody's. Whom a gate holds up is not waited for."""
        if not self._waiting:
            return
        here = [turn for turn in self._waiting if turn.action is Action.DRAIN and turn.outcome is None]
        others = [turns[node] for node in s.busy] if here else []
        coming = sorted(turn.node for turn in others if turn not in here and _comes(turn))
        self._waiting = here if coming else []
        for turn in here:
            if coming:
                turn.why = f"waits until {', '.join(coming)} can take no work either"
            else:
                yield turn


def _comes(turn: Turn) -> bool:
    """Will it be cordoned soon?"""
    if turn.outcome is not None or turn.said:
        return False
    return turn.action is Action.CORDON or (
        turn.action in _ON_THE_WAY and not turn.half_done and Action.DRAIN in turn.left
    )
