"""Brings a release's image here, whole and verified: a cache by SHA-256. What is not verified is called ``.part``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

from coreops.errors import CoreopsError, RefusedError
from coreops.upgrade.channel import files
from coreops.upgrade.channel.source import NotThere, Source
from coreops.upgrade.release import Release

Tell = Callable[[int, int], None]


def bring(source: Source, path: str, release: Release, cache: Path, tell: Tell) -> Path:
    """The image of ``release``, from the cache or from ``path`` of the source; hashed now in either case.

    Raises RefusedError when it is not what was signed, CoreopsError when it cannot be had.
    """
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    ready = cache / release.sha256
    part = cache / f"{release.sha256}.part"
    with files.locked(cache / f"{release.sha256}.lock"):
        if ready.exists():
            if _is(ready, release):
                tell(release.size, release.size)
                return ready
            ready.unlink()
        resumed = part.exists() and part.stat().st_size > 0
        _fetch(source, path, release, part, tell)
        if resumed and not _is(part, release):
            # What was there before may be what is wrong.
            part.unlink()
            _fetch(source, path, release, part, tell)
        if not _is(part, release):
            found = part.stat().st_size
            part.unlink()
            raise _altered(source.name, release.target, f"{found} bytes with another SHA-256 than {release.sha256}")
        os.replace(part, ready)
        files.flush_folder(cache)
    return ready


def _is(path: Path, release: Release) -> bool:
    if path.stat().st_size != release.size:
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == release.sha256


def _fetch(source: Source, path: str, release: Release, part: Path, tell: Tell) -> None:
    """Make ``part`` as long as the image, trying again for as long as every try brings something."""
    with part.open("ab") as stream:
        if stream.tell() > release.size:
            stream.truncate(0)
        while (before := stream.seek(0, os.SEEK_END)) < release.size:
            try:
                _append(source, path, release, stream, tell)
                break
            except NotThere as error:
                raise _altered(source.name, release.target, error.what) from error
            except RefusedError:
                raise
            except CoreopsError:
                stream.flush()
                if stream.tell() == before:
                    raise
        stream.flush()
        os.fsync(stream.fileno())


def _append(source: Source, path: str, release: Release, stream: IO[bytes], tell: Tell) -> None:
    for chunk in source.read(path, stream.tell()):
        room = release.size - stream.tell()
        stream.write(chunk[:room])
        tell(stream.tell(), release.size)
        if len(chunk) > room:
            raise _altered(
                source.name, release.target, f"it goes on after its {release.size} bytes (endless data attack)"
            )


def _altered(name: str, target: str, why: str) -> RefusedError:
    """An image that is not the one that was signed."""
    return RefusedError(
        f"the image {target} is not the one that was signed",
        where=name,
        why=f"{why}; somebody altered it, or it was damaged; no node was touched",
        next="compare with coreops channel verify on the publisher's machine; publish it again",
    )
