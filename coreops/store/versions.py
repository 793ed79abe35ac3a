"""Which etcd version may follow which. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from coreops.errors import RefusedError

# 3.5.0 to 3.5.2 can corrupt data silently (etcd's post-mortem "v3.5 data inconsistency").
CORRUPTING = ((3, 5, 0), (3, 5, 2))
# 3.6 may meet data of older 3.5 releases that it cannot read.
BEFORE_3_6 = (3, 5, 32)

Version = tuple[int, int, int]


def parse(text: str) -> Version:
    """``3.5.17`` (a suffix such as ``-rc.1`` is ignored) as numbers. Raises ValueError."""
    major, minor, patch = text.partition("-")[0].split(".")
    return int(major), int(minor), int(patch)


def corrupts(version: str) -> bool:
    """Is this a release that must not be used in production?"""
    return CORRUPTING[0] <= parse(version) <= CORRUPTING[1]


def flags(version: str) -> dict[str, str]:
    """Settings that a version needs for safety."""
    if parse(version)[:2] in ((3, 4), (3, 5)):
        return {"ETCD_EXPERIMENTAL_INITIAL_CORRUPT_CHECK": "true"}
    return {}


def check(running: Iterable[str], wanted: str) -> bool:
    """Raise RefusedError when the running members must not get this version; tell whether it is a change of minor."""
    to, minor = parse(wanted), False
    for version in sorted(set(running), key=parse):
        now = parse(version)
        if now[:2] == to[:2]:
            continue
        minor = True
        if to < now:
            raise RefusedError(
                f"a downgrade from etcd {version} to {wanted} is refused",
                why="etcd writes its data in the newer format and an older release exits on it",
                next="restore a snapshot taken before the upgrade into a new cluster",
            )
        if to[0] != now[0] or to[1] != now[1] + 1:
            raise RefusedError(
                f"an upgrade from etcd {version} to {wanted} is refused",
                why="members of one cluster may differ by one minor version only",
                next=f"go to the newest {now[0]}.{now[1] + 1} first",
            )
        if to[:2] == (3, 6) and now < BEFORE_3_6:
            raise RefusedError(
                f"an upgrade from etcd {version} to {wanted} is refused",
                why="3.6 needs every member on 3.5.32 or newer",
                next="go to the newest 3.5 first",
            )
    return minor
