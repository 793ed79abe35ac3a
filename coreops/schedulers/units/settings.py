"""The variables of the scheduler ``units``. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

BEAT = 2


def _beat(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 15:
        raise ValueError(f"it must be a number of seconds from 1 to 15, found {value!r:.80}")
    return value


VARIABLES: Mapping[str, Callable[[object], Any]] = {"units_beat": _beat}
