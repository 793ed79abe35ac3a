"""What tasks write to a host's variables, so that a task which was begun too early can be taken back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coreops.playbook.vars import HostState


class Ledger:
    """Writes since everything sent was last answered, each with the number of the unit that made it."""

    def __init__(self, state: HostState) -> None:
        self._state = state
        self._base: Mapping[str, Any] = {}
        self._writes: list[tuple[int, str, Any]] = []

    def settle(self) -> None:
        """Nothing is under way: other hosts may see everything, and nothing before this is ever taken back."""
        self._state.publish()
        self._base = self._state.published
        self._writes.clear()

    def write(self, seq: int, name: str, value: Any) -> None:
        """Give a variable its value, on behalf of a unit."""
        self._state.known[name] = value
        self._writes.append((seq, name, value))

    def take_back(self, seq: int) -> None:
        """Undo what units after ``seq`` wrote."""
        kept = [write for write in self._writes if write[0] <= seq]
        if len(kept) != len(self._writes):
            self._writes = kept
            self._state.known = {**self._base, **{name: value for _, name, value in kept}}
