"""How one machine ended up. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from coreops.errors import CoreopsError
from coreops.providers.protocol import Machine

State = Literal["created", "started", "kept", "destroyed", "on", "off", "reset", "failed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """state: what was done, or failed. machine: as last seen; None: there is none. error: why it failed."""

    node: str
    state: State
    machine: Machine | None = None
    error: CoreopsError | None = None
