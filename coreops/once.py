"""A cache for what several threads ask at the same moment: one of them finds it out, the others wait for that. Knows
nothing of what is asked.

``lru_cache`` alone lets each of them find it out, and drives of hosts begin together.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache, wraps
from threading import Lock
from typing import ParamSpec, TypeVar, cast

_P = ParamSpec("_P")
_T = TypeVar("_T")


def found_once(maxsize: int) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Remember so many answers of a function; who asks while another one looks waits, whatever the two ask for."""

    def decorate(function: Callable[_P, _T]) -> Callable[_P, _T]:
        remembered = lru_cache(maxsize)(function)
        looking = Lock()

        @wraps(function)
        def ask(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            with looking:
                return remembered(*cast("tuple[Hashable, ...]", args), **cast("dict[str, Hashable]", kwargs))

        return ask

    return decorate
