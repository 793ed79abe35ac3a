"""Makes, of what the lock file pins, the one archive that travels to the nodes. Knows archives; no network, no SSH.

What travels is a tar.gz with the programs of ``lockfile.PROGRAMS`` in its root, mode 0755, and nothing else. It is made
the same way from a tar, a zip, a wheel or the bare program. An artifact without programs travels as it is.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from coreops.errors import InputError
from coreops.store.fetching import Tell, cache_dir, fetch, mirror
from coreops.store.lockfile import PROGRAMS, Locked, Programs

__all__ = ["archive", "cache_dir", "mirror", "repack"]

_BARE = (b"\x7fELF", b"#!")


def archive(
    locked: Locked,
    cache: Path | None = None,
    tell: Tell = lambda done, total: None,
    mirror: str | None = None,
) -> Path:
    """Return the archive that travels, fetched and repacked when it is not cached yet. mirror: see ``fetching``.

    Raises InputError for content that is not what the lock file pins, CoreopsError when it cannot be fetched.
    """
    cache = cache or cache_dir()
    if not PROGRAMS[locked.name].programs:
        cache.mkdir(parents=True, exist_ok=True)
        return _named(fetch(locked, cache, tell, mirror), cache, locked.suffix)
    ready = cache / f"{locked.sha256}.{locked.name}.tar.gz"
    if ready.exists():
        return ready
    cache.mkdir(parents=True, exist_ok=True)
    repack(fetch(locked, cache, tell, mirror), ready, locked)
    return ready


def _named(found: Path, cache: Path, suffix: str) -> Path:
    """The file under a name with the suffix that it came with: what is kept is called after its SHA-256 only."""
    if found.name.endswith(suffix):
        return found
    name = cache / f"{found.name}{suffix}"
    with contextlib.suppress(FileExistsError):
        name.symlink_to(found.resolve())
    return name


def repack(source: Path, target: Path, locked: Locked) -> None:
    """Write a tar.gz with just the programs: same input, same bytes."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".pack-")
    try:
        with os.fdopen(handle, "wb") as raw, _programs(source, locked) as programs:
            with (
                gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as packed,
                tarfile.open(fileobj=packed, mode="w|", format=tarfile.USTAR_FORMAT) as out,
            ):
                for program in PROGRAMS[locked.name].programs:
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
    known = PROGRAMS[locked.name]
    with tempfile.TemporaryDirectory(prefix="coreops-artifact-") as folder:
        found: dict[str, tuple[int, IO[bytes]]] = {}
        try:
            for name, stream in _entries(source, known):
                program = PurePosixPath(name).name
                if program in known.programs and program not in found:
                    copy: IO[bytes] = (Path(folder) / program).open("w+b")
                    shutil.copyfileobj(stream, copy, 1 << 20)
                    size = copy.tell()
                    copy.seek(0)
                    found[program] = (size, copy)
            missing = [program for program in known.required if program not in found]
            if missing:
                raise InputError(
                    f"the archive of {locked.name} {locked.version} has no {' and no '.join(missing)}",
                    where=locked.position,
                    next=f"pin an official {locked.name} release (tar.gz, zip or the bare program) for Linux",
                )
            yield found
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, gzip.BadGzipFile) as error:
            raise InputError("the archive cannot be unpacked", where=locked.position, why=str(error)) from error
        finally:
            for _, copy in found.values():
                copy.close()


def _entries(source: Path, known: Programs) -> Iterator[tuple[str, IO[bytes]]]:
    with source.open("rb") as plain:
        if len(known.required) == 1 and plain.read(4).startswith(_BARE):
            plain.seek(0)
            yield known.required[0], plain
            return
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
