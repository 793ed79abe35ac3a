"""The shape of a fault. Data only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from coreops.upgrade.rehearse.simulation import Simulation


@dataclass(frozen=True, slots=True)
class Fault:
    """numbers: of the failures in docs/simulator.md that it injects. about: what happens, for people."""

    name: str
    numbers: tuple[int, ...]
    about: str
    inject: Callable[[Simulation], object]
