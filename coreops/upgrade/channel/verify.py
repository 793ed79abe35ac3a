"""Looks at a whole repository as a reader does: metadata, channels, and every byte of every image, also unpacked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from coreops.errors import CoreopsError
from coreops.upgrade.channel.frames import unpacked
from coreops.upgrade.channel.reader import Repository
from coreops.upgrade.release import Release

_ENDS_SOON = timedelta(days=3)
_ENDS_SOON_ROLES = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Finding:
    """problem "": all is well."""

    release: Release
    problem: str = ""


def verify(repository: Repository, tell: Callable[[Release, int], None] = lambda release, done: None) -> list[Finding]:
    """Read every image from where it is published. Nothing is cached. tell: release, bytes of it read so far."""
    return [Finding(release, _problem(repository, release, tell)) for release in repository.releases()]


def _problem(repository: Repository, release: Release, tell: Callable[[Release, int], None]) -> str:
    whole = hashlib.sha256()
    inside = {"usr": hashlib.sha256(), "kernel": hashlib.sha256()}

    def passing() -> Iterator[bytes]:
        done = 0
        for chunk in repository.stream(release):
            whole.update(chunk)
            done += len(chunk)
            tell(release, done)
            yield chunk

    try:
        for frame, data in unpacked(passing(), release):
            inside[frame.part].update(data)
    except CoreopsError as error:
        return f"{error.what}: {error.why}" if error.why else error.what
    right = {
        "the image": (whole.hexdigest(), release.sha256),
        "the usr file system": (inside["usr"].hexdigest(), release.usr_sha256),
        "the kernel": (inside["kernel"].hexdigest() if release.kernel_size else "", release.kernel_sha256),
    }
    return "; ".join(
        f"{part} has another SHA-256 than signed" for part, (found, signed) in right.items() if found != signed
    )


def ends_soon(repository: Repository, now: datetime | None = None) -> list[str]:
    """What is to be signed again before long, one sentence each."""
    now = now or datetime.now(UTC)
    return [
        f"the signature of {role} ends on {when:%Y-%m-%d %H:%M} UTC; next: coreops channel {_renewal(role)}"
        for role, when in repository.expires.items()
        if when - now < (_ENDS_SOON if role == "timestamp" else _ENDS_SOON_ROLES)
    ]


def _renewal(role: str) -> str:
    return "rotate" if role == "root" else "refresh"
