"""Follows the registry: what is there, then every change, for as long as somebody wants to know."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from coreops.errors import UnreachableError
from coreops.registration.readers import Change, Registry, Standing, between

RETRY = 2.0


def follow(registry: Registry, sleep: Callable[[float], None] = time.sleep) -> Iterator[Standing | Change | str]:
    """A Standing first (raises UnreachableError when that cannot be had), then Changes without end. A text: the store
    does not answer, or answers again; nothing is missed meanwhile but what came and went.
    """
    standing = registry.read()
    yield standing
    lost = ""
    while True:
        try:
            now = registry.changes(standing) or registry.read()
        except UnreachableError as error:
            if not lost:
                lost = str(error.why or error.what)
                yield f"the store does not answer: {lost}"
            sleep(RETRY)
            continue
        if lost:
            lost = ""
            yield "the store answers again"
        yield from between(standing, now)
        standing = now
