"""How long EC2 may take. It answers before it knows: what one call made, the next may not see yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. appear: until a machine that EC2 knows of is shown, or starts once it has stopped. end: until
    machines have ended and their security group can go. pause: between two questions.
    """

    appear: float = 120.0
    end: float = 600.0
    pause: float = 3.0
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic

    def until(self, seconds: float, ask: Callable[[], T | None]) -> T | None:
        """Ask until the answer is not None; None when the time is over. Asks once at least."""
        deadline = self.now() + seconds
        while (answer := ask()) is None and self.now() < deadline:
            self.sleep(min(self.pause, max(0.0, deadline - self.now())))
        return answer
