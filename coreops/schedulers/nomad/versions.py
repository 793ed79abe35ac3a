"""Which release of Nomad may follow which, and work beside which. Pure.

From Nomad's upgrade guide (website/content/docs/upgrade of hashicorp/nomad, v1.7.7): a release works with those of the
two minor versions before it, servers go first, and there is no way back. 2.0 followed 1.11.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from coreops.errors import RefusedError

REACH = 2
_LAST_MINOR = {1: 11}


def parse(text: str) -> tuple[int, int, int]:
    """``1.7.7`` (with or without v and suffix) as numbers. Raises ValueError."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text)
    if found is None:
        raise ValueError(f"{text!r} is no version")
    return int(found[1]), int(found[2]), int(found[3])


def check(running: Iterable[tuple[str, str]], wanted: str) -> None:
    """Raises RefusedError when hosts that run ``(host, version)`` must not get ``wanted``."""
    to = parse(wanted)
    for host, version in running:
        now = parse(version)
        if to < now:
            raise RefusedError(
                f"a downgrade of Nomad from {version} to {wanted} is refused",
                where=host,
                why="Nomad cannot read newer state: a client would have to be emptied, a server made anew",
                next=f"pin {version} or newer in artifacts.lock.yml",
            )
        if _steps(now, to) > REACH:
            raise RefusedError(
                f"an upgrade of Nomad from {version} to {wanted} is refused",
                where=host,
                why=f"releases work together across {REACH} minor versions, and agents change one by one",
                next=f"go to the newest {_name(now, REACH)} first",
            )


def _steps(now: tuple[int, int, int], to: tuple[int, int, int]) -> int:
    """Minor versions between two releases, across a change of the major version as well."""
    steps = 0
    major, minor = now[:2]
    while (major, minor) < to[:2]:
        steps += 1
        major, minor = _next(major, minor)
        if steps > REACH:
            break
    return steps


def _next(major: int, minor: int) -> tuple[int, int]:
    return (major + 1, 0) if minor >= _LAST_MINOR.get(major, minor + 1) else (major, minor + 1)


def _name(now: tuple[int, int, int], steps: int) -> str:
    major, minor = now[:2]
    for _ in range(steps):
        major, minor = _next(major, minor)
    return f"{major}.{minor}"
