"""Brings a repository's metadata here and believes of it only what the pinned root vouches for. TUF's client workflow.

What was believed is kept, one folder for each root: that is what tells a repository that is put back to an older state.
Import late: TUF costs a quarter of a second.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from tuf.api.exceptions import DownloadError, DownloadHTTPError, RepositoryError, SlowRetrievalError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from coreops.errors import CoreopsError, InputError
from coreops.upgrade.channel import trouble
from coreops.upgrade.channel.files import locked
from coreops.upgrade.channel.source import NotThere, Source

METADATA = "metadata"
TARGETS = "targets"
_SLOWEST = 120.0
_LIMITS = UpdaterConfig(targets_max_length=32 << 20)


@dataclass(frozen=True, slots=True)
class Trusted:
    """Verified metadata, all of one state of the repository."""

    root: Metadata[Root]
    timestamp: Metadata[Timestamp]
    snapshot: Metadata[Snapshot]
    targets: Metadata[Targets]


def read_root(path: Path) -> bytes:
    """The pinned root's bytes. Raises InputError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(
            "there is no pinned root of trust",
            where=path,
            next="copy metadata/1.root.json from the publisher by a way you trust, and check its SHA-256",
        ) from None
    except OSError as error:
        raise InputError("the pinned root cannot be read", where=path, why=error.strerror) from error


def refresh(
    source: Source, root: bytes, kept: Path, now: datetime | None = None, pinned: Path | None = None
) -> Trusted:
    """Fetch and verify; ``kept`` is where what was believed is kept. Raises InputError, RefusedError, CoreopsError.

    now: believed to be the time, for expiry. pinned: the file that root came from, for people.
    """
    folder = kept / hashlib.sha256(root).hexdigest()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    fetcher = _Fetcher(source)
    with locked(folder / "lock"):
        try:
            updater = Updater(str(folder), METADATA, fetcher=fetcher, config=_LIMITS, bootstrap=root)
        except RepositoryError as error:
            raise InputError(
                "the pinned root is not the root of a channel repository",
                where=pinned,
                why=str(error),
                next="copy metadata/1.root.json from the publisher by a way you trust, and check its SHA-256",
            ) from error
        if now is not None:
            # The one thing python-tuf has no parameter for.
            updater._trusted_set.reference_time = now
        try:
            updater.refresh()
        except (RepositoryError, DownloadError) as error:
            raise trouble.told(error, source.name, fetcher.last) from error
        return Trusted(
            root=Metadata[Root].from_file(str(folder / "root.json")),
            timestamp=Metadata[Timestamp].from_file(str(folder / "timestamp.json")),
            snapshot=Metadata[Snapshot].from_file(str(folder / "snapshot.json")),
            targets=Metadata[Targets].from_file(str(folder / "targets.json")),
        )


class _Fetcher(FetcherInterface):
    """Lets TUF read from a Source."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.last = ""

    def _fetch(self, url: str) -> Iterator[bytes]:
        self.last = url
        until = time.monotonic() + _SLOWEST
        try:
            for chunk in self._source.read(url):
                yield chunk
                if time.monotonic() > until:
                    raise SlowRetrievalError(f"{url} takes longer than {_SLOWEST:.0f} s")
        except NotThere as error:
            raise DownloadHTTPError(error.what, 404) from error
        except CoreopsError as error:
            raise DownloadError(error.what) from error


def target_path(sha256: str, target: str) -> str:
    """Where in the repository a target's file is: TUF puts the digest before the name."""
    folder, slash, name = target.rpartition("/")
    return f"{TARGETS}/{folder}{slash}{sha256}.{name}"


def sha256_of(target: Any) -> str:
    """The SHA-256 that signed metadata has for a target; "" when it has none."""
    return cast(str, target.hashes.get("sha256", ""))
