"""Values that are not known yet, and the signals that end a segment. Pure.

A ``Pending`` may be passed around and asked whether it is defined; whoever looks inside raises its signal. Signals are
no errors: the host program catches every one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn


class Signal(Exception):
    """Base of what templating may raise to talk to the host program."""


class PendingReference(Signal):
    """A value was looked at whose record has not arrived. ``facts``: nobody has even asked for the facts yet."""

    def __init__(self, what: str, *, facts: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.facts = facts


class WaitReference(Signal):
    """A value of another host was looked at, and that host has not got there yet."""

    def __init__(self, host: str, name: str) -> None:
        super().__init__(f"{name!r} of host {host}")
        self.host = host
        self.name = name
        self.what = str(self)


class CheckUnknown(Signal):
    """A value was looked at that only a real run could know."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Pending:
    """Stands for a value that is not known yet."""

    __slots__ = ("_signal",)

    def __init__(self, signal: Callable[[], Signal]) -> None:
        self._signal = signal

    def __repr__(self) -> str:
        return f"<pending: {self._signal()}>"

    def _touch(self, *_: Any, **__: Any) -> NoReturn:
        raise self._signal()

    __getattr__ = __getitem__ = __call__ = _touch
    __str__ = __iter__ = __len__ = __contains__ = __format__ = _touch
    __bool__ = __hash__ = __int__ = __float__ = __eq__ = __ne__ = _touch
    __lt__ = __le__ = __gt__ = __ge__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _touch
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __neg__ = _touch


def touch(value: Pending) -> NoReturn:
    """Raise what a pending value stands for."""
    raise value._signal()


class SkippedData(dict[str, Any]):
    """The registered result of a task (``of``) that check mode did not run: what it lacks is unknown, not undefined."""

    def __init__(self, data: Mapping[str, Any], of: str) -> None:
        super().__init__(data)
        self.of = of


class Omit:
    """The value of ``omit``: an argument with it is left out."""

    def __repr__(self) -> str:
        return "omit"

    def __str__(self) -> str:
        raise ValueError("omit can only be a whole value, not a part of a text")


OMIT = Omit()
