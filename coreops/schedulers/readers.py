"""Readers of inventory values that several schedulers share: each returns the value, or raises ValueError. Pure."""

from __future__ import annotations

from collections.abc import Callable

from coreops.errors import did_you_mean


def text(value: object) -> str:
    """One line, not empty."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError(f"it must be a text of one line, found {value!r:.80}")
    return value


def flag(value: object) -> bool:
    """true or false, and nothing that only looks like it."""
    if not isinstance(value, bool):
        raise ValueError(f"it must be true or false, found {value!r:.80}")
    return value


def number(low: int, high: int) -> Callable[[object], int]:
    """A whole number within limits, also as text."""

    def read(value: object) -> int:
        digits = str(value)
        if isinstance(value, bool) or not digits.isascii() or not digits.isdigit() or not low <= int(digits) <= high:
            raise ValueError(f"it must be a number from {low} to {high}, found {value!r:.80}")
        return int(digits)

    return read


def choice(known: tuple[str, ...]) -> Callable[[object], str]:
    """One of some words."""

    def read(value: object) -> str:
        if value not in known:
            near = did_you_mean(str(value), known)
            raise ValueError(f"it must be {' or '.join(known)}, found {value!r:.80}" + (f"; {near}" if near else ""))
        return str(value)

    return read
