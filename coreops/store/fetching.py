"""Brings what the lock file pins onto this machine: from the cache, a mirror, or where the entry says. Knows files, the
network and ``pip download``; no SSH, no archives.

Nothing enters the cache, or is handed on, before its SHA-256 was checked.

A mirror is a folder or a base URL, named by $COREOPS_MIRROR or, without it, by the inventory's ``artifact_mirror``. It
is looked at before the entry's own source, for a file called after the SHA-256 and then for one called as the source
calls it. So a copy of all artifacts in one folder is enough to work offline.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from coreops.errors import CoreopsError, InputError
from coreops.store.lockfile import Locked

if TYPE_CHECKING:
    from coreops.inventory import Inventory

Tell = Callable[[int, int], None]
MIRROR = "COREOPS_MIRROR"
VARIABLE = "artifact_mirror"


def cache_dir() -> Path:
    """Where archives are kept: $COREOPS_CACHE, or coreops below the user's cache folder."""
    if own := os.environ.get("COREOPS_CACHE"):
        return Path(own) / "artifacts"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "coreops" / "artifacts"


def mirror(inventory: Inventory, hosts: Iterable[str]) -> str | None:
    """The mirror that is to be asked first. Raises InputError when hosts disagree, or for what can be none."""
    if own := os.environ.get(MIRROR):
        return _mirror(own, Path.cwd(), f"${MIRROR}")
    found: dict[str, str] = {}
    for host in hosts:
        setting = inventory.settings(host).get(VARIABLE)
        if setting is None:
            continue
        place = next(iter(inventory.origin(host, VARIABLE)), inventory.base)
        found.setdefault(_mirror(setting.value, inventory.base, place), host)
        if len(found) > 1:
            raise InputError(
                f"{VARIABLE} differs from host to host",
                where=place,
                why=", ".join(f"{name}: {value}" for value, name in found.items()),
                next="artifacts are fetched once, by this machine: set it in group_vars/all.yml",
            )
    return next(iter(found), None)


def _mirror(value: object, base: Path, where: object) -> str:
    if not isinstance(value, str) or not value or "{{" in value:
        raise InputError("a mirror must be a folder or a base URL", where=where, why=f"found {value!r}")
    if value.startswith(("https://", "http://")):
        return value
    if "://" in value:
        raise InputError("a mirror's URL must begin with https:// or http://", where=where, why=f"found {value!r}")
    folder = base / Path(value).expanduser()
    if not folder.is_dir():
        raise InputError("the mirror is no folder", where=where, why=f"there is no folder {folder}")
    return str(folder)


def fetch(locked: Locked, cache: Path, tell: Tell = lambda done, total: None, mirror: str | None = None) -> Path:
    """Return the original archive with the pinned SHA-256. Raises InputError for other content, CoreopsError when it
    cannot be had.
    """
    kept = cache / locked.sha256
    if kept.exists():
        return kept
    tried: list[str] = []
    with tempfile.TemporaryDirectory(dir=cache, prefix=".get-") as text:
        folder = Path(text)
        found = _mirrored(locked, mirror, folder, tell, tried) if mirror else None
        if found is None and locked.source == "path":
            return _local(locked, tried)
        if found is None:
            found = _original(locked, cache, folder, tell, tried)
        if mirror and found.is_relative_to(mirror):
            return found
        os.replace(found, kept)
    return kept


def _original(locked: Locked, cache: Path, folder: Path, tell: Tell, tried: list[str]) -> Path:
    part = cache / f"{locked.sha256}.part"
    try:
        found = _wheel(locked, folder, tried) if locked.source == "pypi" else _download(locked.location, part, tell)
    except _Unavailable as error:
        raise CoreopsError(
            f"{locked.name} {locked.version} could not be downloaded",
            where=locked.position,
            why="; ".join([*tried, str(error)]),
            next="run the command again (the download continues), or pin a path: in artifacts.lock.yml",
        ) from error
    try:
        _verify(found, locked)
    except InputError:
        part.unlink(missing_ok=True)  # or a resumed download would start from the wrong bytes
        raise
    return found


def _local(locked: Locked, tried: list[str]) -> Path:
    path = Path(locked.location)
    if not path.is_file():
        why = "; ".join([*tried, f"there is no file {path}"])
        raise InputError("the artifact is missing", where=locked.position, why=why)
    _verify(path, locked)
    return path


def _names(locked: Locked) -> Iterator[str]:
    yield locked.sha256
    path = urlsplit(locked.location).path if locked.source == "url" else locked.location
    name = unquote(PurePosixPath(path).name)
    if locked.source != "pypi" and name not in ("", ".", ".."):
        yield name


def _mirrored(locked: Locked, mirror: str, folder: Path, tell: Tell, tried: list[str]) -> Path | None:
    """What the mirror has of it. A file with the right name and other content is another version, unless its name is
    the SHA-256.
    """
    for name in _names(locked):
        if "://" in mirror:
            path = folder / "mirrored"
            path.unlink(missing_ok=True)
            try:
                _download(f"{mirror.rstrip('/')}/{quote(name)}", path, tell)
            except _Unavailable as error:
                tried.append(str(error))
                continue
        else:
            path = Path(mirror, name)
            if not path.is_file():
                tried.append(f"there is no file {path}")
                continue
        if sha256(path) == locked.sha256:
            return path
        if name == locked.sha256:
            _verify(path, locked, f"{mirror.rstrip('/')}/{name}")
        tried.append(f"{mirror.rstrip('/')}/{name} has another SHA-256")
    return None


def sha256(path: Path) -> str:
    """The digest of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _verify(path: Path, locked: Locked, origin: str = "") -> None:
    found = sha256(path)
    if found != locked.sha256:
        raise InputError(
            f"the SHA-256 of {locked.name} {locked.version} is wrong",
            where=locked.position,
            why=f"the lock file pins {locked.sha256}, {origin or locked.location} has {found}",
            next="find out why before changing the lock file: the archive may have been tampered with",
        )


class _Unavailable(Exception):
    """A source does not give it; the text says which and why."""


def _wheel(locked: Locked, folder: Path, tried: list[str]) -> Path:
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
            why="; ".join([*tried, (done.stderr.strip().splitlines() or ["no wheel arrived"])[-1]]),
            next="check the network and pip's configuration, or pin a url: or path: in artifacts.lock.yml",
        )
    return wheels[0]


def _download(url: str, part: Path, tell: Tell) -> Path:
    import httpx

    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=30.0) as answer:
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
    except httpx.HTTPStatusError as error:
        raise _Unavailable(f"{url} answers {error.response.status_code}") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise _Unavailable(f"{url}: {error or type(error).__name__}") from error
    return part
