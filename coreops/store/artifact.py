"""Brings a pinned archive into the controller's cache and makes of it the one archive that travels to the nodes. Knows
files, the network and ``pip download``; no SSH.

Nothing enters the cache before its SHA-256 was checked. What travels holds the three programs and nothing else, and is
built the same way from a tar, a zip or a wheel.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from coreops.errors import CoreopsError, InputError
from coreops.store.lockfile import Locked

PROGRAMS = ("etcd", "etcdctl", "etcdutl")
REQUIRED = ("etcd", "etcdctl")

Tell = Callable[[int, int], None]


def cache_dir() -> Path:
    """Where archives are kept: $COREOPS_CACHE, or coreops below the user's cache folder."""
    if own := os.environ.get("COREOPS_CACHE"):
        return Path(own) / "artifacts"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "coreops" / "artifacts"


def archive(locked: Locked, cache: Path | None = None, tell: Tell = lambda done, total: None) -> Path:
    """Return the archive that travels, fetched and repacked when it is not cached yet.

    Raises InputError for content that is not what the lock file pins, CoreopsError when it cannot be fetched.
    """
    cache = cache or cache_dir()
    ready = cache / f"{locked.sha256}.etcd.tar.gz"
    if ready.exists():
        return ready
    cache.mkdir(parents=True, exist_ok=True)
    repack(fetch(locked, cache, tell), ready, locked)
    return ready


def fetch(locked: Locked, cache: Path, tell: Tell = lambda done, total: None) -> Path:
    """Return the original archive with the pinned SHA-256."""
    kept = cache / locked.sha256
    if kept.exists():
        return kept
    if locked.source == "path":
        path = Path(locked.location)
        if not path.is_file():
            raise InputError("the artifact is missing", where=locked.position, why=f"there is no file {path}")
        _verify(path, locked)
        return path
    with tempfile.TemporaryDirectory(dir=cache, prefix=".get-") as folder:
        part = cache / f"{locked.sha256}.part"
        found = _wheel(locked, Path(folder)) if locked.source == "pypi" else _download(locked, part, tell)
        try:
            _verify(found, locked)
        except InputError:
            part.unlink(missing_ok=True)  # or a resumed download would start from the wrong bytes
            raise
        os.replace(found, kept)
    return kept


def _verify(path: Path, locked: Locked) -> None:
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != locked.sha256:
        raise InputError(
            f"the SHA-256 of {locked.name} {locked.version} is wrong",
            where=locked.position,
            why=f"the lock file pins {locked.sha256}, {locked.location} has {found}",
            next="find out why before changing the lock file: the archive may have been tampered with",
        )


def _wheel(locked: Locked, folder: Path) -> Path:
    """Let pip find the wheel, so that mirrors and credentials are those of the user's own pip configuration."""
    package = f"{locked.location}=={locked.version}"
    line = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    line += ["--disable-pip-version-check", "--dest", str(folder), package]
    done = subprocess.run(line, capture_output=True, text=True, errors="replace", timeout=900, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        raise CoreopsError(
            f"pip could not download {package}",
            where=locked.position,
            why=(done.stderr.strip().splitlines() or ["no wheel arrived"])[-1],
            next="check the network and pip's configuration, or pin a url: or path: in artifacts.lock.yml",
        )
    return wheels[0]


def _download(locked: Locked, part: Path, tell: Tell) -> Path:
    import httpx

    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        with httpx.stream("GET", locked.location, headers=headers, follow_redirects=True, timeout=30.0) as answer:
            if have and answer.status_code == 416:  # the part is complete already; its SHA-256 decides
                return part
            answer.raise_for_status()
            have = have if answer.status_code == 206 else 0
            total = have + int(answer.headers.get("Content-Length", 0))
            with part.open("ab" if have else "wb") as stream:
                for chunk in answer.iter_raw():
                    stream.write(chunk)
                    have += len(chunk)
                    tell(have, max(total, have))
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise CoreopsError(
            f"{locked.name} {locked.version} could not be downloaded",
            where=locked.position,
            why=f"{locked.location}: {error or type(error).__name__}",
            next="run the command again (the download continues), or pin a path: in artifacts.lock.yml",
        ) from error
    return part


def repack(source: Path, target: Path, locked: Locked) -> None:
    """Write a tar.gz with just the programs: same input, same bytes."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".pack-")
    try:
        with os.fdopen(handle, "wb") as raw, _programs(source, locked) as programs:
            with (
                gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as packed,
                tarfile.open(fileobj=packed, mode="w|", format=tarfile.USTAR_FORMAT) as out,
            ):
                for program in PROGRAMS:
                    if program in programs:
                        size, stream = programs[program]
                        entry = tarfile.TarInfo(program)
                        entry.size, entry.mode = size, 0o755
                        out.addfile(entry, stream)
            raw.flush()
            os.fsync(raw.fileno())
        os.chmod(name, 0o644)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


@contextmanager
def _programs(source: Path, locked: Locked) -> Iterator[dict[str, tuple[int, IO[bytes]]]]:
    """The programs inside an archive of any kind, copied to plain files: reading archives out of order is slow."""
    with tempfile.TemporaryDirectory(prefix="coreops-artifact-") as folder:
        found: dict[str, tuple[int, IO[bytes]]] = {}
        try:
            for name, stream in _entries(source):
                program = PurePosixPath(name).name
                if program in PROGRAMS and program not in found:
                    copy: IO[bytes] = (Path(folder) / program).open("w+b")
                    shutil.copyfileobj(stream, copy, 1 << 20)
                    size = copy.tell()
                    copy.seek(0)
                    found[program] = (size, copy)
            missing = [program for program in REQUIRED if program not in found]
            if missing:
                raise InputError(
                    f"the archive of {locked.name} {locked.version} has no {' and no '.join(missing)}",
                    where=locked.position,
                    next="pin an official etcd release archive (tar.gz or zip) for Linux",
                )
            yield found
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, gzip.BadGzipFile) as error:
            raise InputError("the archive cannot be unpacked", where=locked.position, why=str(error)) from error
        finally:
            for _, copy in found.values():
                copy.close()


def _entries(source: Path) -> Iterator[tuple[str, IO[bytes]]]:
    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as zipped:
            for info in zipped.infolist():
                if not info.is_dir():
                    with zipped.open(info) as packed:
                        yield info.filename, packed
        return
    with tarfile.open(source, "r:*") as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.isreg() else None
            if stream is not None:
                yield member.name, stream
