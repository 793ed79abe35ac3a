"""``@frozen``: a frozen dataclass that costs little to define, for the classes that every start of coreops defines.

dataclass generates and compiles six methods for each frozen class; with a hundred classes that was a sixth of the time
of a run. Here only ``__init__`` is generated. Equality, hash and text are shared, with dataclass's meaning; that nobody
sets an attribute is checked by mypy, not while running. Elsewhere the standard decorator does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")


@overload
def frozen(cls: type[T], /) -> type[T]: ...
@overload
def frozen(*, kw_only: bool = False) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: Any = None, /, *, kw_only: bool = False) -> Any:
    """As ``@dataclass(frozen=True, slots=True)``."""

    def make(cls: Any) -> Any:
        own = vars(cls)
        made: Any = dataclass(eq=False, repr=False, slots=True, kw_only=kw_only)(cls)
        made._compared = _getter([one.name for one in fields(made) if one.compare])
        if "__eq__" not in own:
            made.__eq__ = _eq
            made.__hash__ = _hash
        if "__repr__" not in own:
            made.__repr__ = _repr
        return made

    return make if cls is None else make(cls)


def _getter(names: list[str]) -> Callable[[object], Any]:
    return attrgetter(*names) if names else type


def _eq(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self._compared(self) == self._compared(other)


def _hash(self: Any) -> int:
    return hash(self._compared(self))


def _repr(self: Any) -> str:
    shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
    return f"{type(self).__qualname__}({shown})"
