"""Commands that were sent and what is waited for: serials, and when patience with each ends. Decides nothing."""

from __future__ import annotations

import heapq

from coreops.upgrade.coordinator.turn import Turn
from coreops.upgrade.protocol import Do


class Outbox:
    """A turn waits for one answer at a time; ``turn.serial`` says which."""

    def __init__(self) -> None:
        self._waiting: dict[int, Turn] = {}
        self._deadlines: list[tuple[float, int]] = []
        self._serial = 0
        self._out: list[Do] = []

    def __bool__(self) -> bool:
        """Is anything waited for?"""
        return bool(self._waiting)

    def send(self, turn: Turn, at: float, boot_id: str, detail: str) -> None:
        """Ask for the turn's present action, not before ``at``."""
        self._serial += 1
        turn.serial = self._serial
        self._waiting[turn.serial] = turn
        heapq.heappush(self._deadlines, (turn.until, turn.serial))
        self._out.append(Do(turn.node, turn.left[0], turn.serial, at, turn.token, boot_id, detail))

    def flush(self) -> list[Do]:
        """What has been asked for since the last time."""
        out, self._out = self._out, []
        return out

    def answered(self, serial: int) -> Turn | None:
        """The turn that waits for this answer; None when nobody does (any more)."""
        turn = self._waiting.get(serial)
        if turn is not None:
            self.forget(turn)
        return turn

    def forget(self, turn: Turn) -> None:
        """Whatever is answered to the turn's last command is no longer of interest."""
        self._waiting.pop(turn.serial, None)
        turn.serial = 0

    def expired(self, now: float) -> list[Turn]:
        """Turns whose patience is over."""
        late = []
        while self._deadlines and self._deadlines[0][0] <= now:
            turn = self.answered(heapq.heappop(self._deadlines)[1])
            if turn is not None:
                late.append(turn)
        return late

    def next_deadline(self) -> float | None:
        """When the next patience ends."""
        while self._deadlines and self._deadlines[0][1] not in self._waiting:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None
