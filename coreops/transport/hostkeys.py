"""Strict host keys: reading known_hosts, judging the key a server shows, recording a new one.

``judge`` is pure; ``known_hosts`` reads a file once per change, ``record`` appends under a lock. Knows no connection.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import fnmatch
import hashlib
import hmac
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from coreops.errors import InputError, UnreachableError
from coreops.frozen import frozen
from coreops.model import Position

CHANGED = "host key has changed"
REVOKED = "host key is revoked"
UNKNOWN = "host key is unknown"
_RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")
Marker = Literal["", "cert-authority", "revoked"]
DEFAULT_FILES = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")


@frozen
class KnownKey:
    """One line of a known_hosts file."""

    names: str
    key_type: str
    blob: bytes = field(repr=False)
    position: Position
    marker: Marker = ""


@dataclass(frozen=True)
class KnownHosts:
    """One parsed file, indexed by plain name."""

    keys: tuple[KnownKey, ...]

    @cached_property
    def _plain(self) -> dict[str, list[KnownKey]]:
        index: dict[str, list[KnownKey]] = {}
        for key in self.keys:
            if not _is_pattern(key.names):
                for name in key.names.lower().split(","):
                    index.setdefault(name, []).append(key)
        return index

    @cached_property
    def _patterns(self) -> list[KnownKey]:
        return [key for key in self.keys if _is_pattern(key.names)]

    def of(self, name: str) -> list[KnownKey]:
        """All keys for a lookup name (``host`` or ``[host]:port``), in file order for each sort of line."""
        name = name.lower()
        return [*self._plain.get(name, ()), *(key for key in self._patterns if _matches(key.names, name))]


def _is_pattern(names: str) -> bool:
    return names.startswith("|") or any(char in names for char in "*?!")


def _matches(names: str, name: str) -> bool:
    if names.startswith("|1|"):
        try:
            salt, digest = (base64.b64decode(part) for part in names[3:].split("|"))
        except (ValueError, binascii.Error):
            return False
        return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)
    found = False
    for pattern in names.lower().split(","):
        wanted = not pattern.startswith("!")
        # fnmatch would read [host]:port as a character class; only * and ? are wild in known_hosts
        if fnmatch.fnmatchcase(name, pattern.removeprefix("!").replace("[", "[[]")):
            if not wanted:
                return False
            found = True
    return found


def parse_known_hosts(text: str, file: str) -> KnownHosts:
    """Parse known_hosts text. Lines that make no sense are skipped, as ssh does."""
    keys = []
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        marker: Marker = ""
        if fields[0].startswith("@"):
            mark = fields.pop(0)
            if mark == "@cert-authority":
                marker = "cert-authority"
            elif mark == "@revoked":
                marker = "revoked"
            else:
                continue
        if len(fields) < 3:
            continue
        try:
            blob = base64.b64decode(fields[2], validate=True)
        except (ValueError, binascii.Error):
            continue
        keys.append(KnownKey(fields[0], fields[1], blob, Position(file, number), marker))
    return KnownHosts(tuple(keys))


_cache: dict[Path, tuple[tuple[int, int, int], KnownHosts]] = {}
_cache_lock = threading.Lock()


def known_hosts(path: Path) -> KnownHosts:
    """Read a file, once per change. A file that does not exist knows no host. Raises InputError when unreadable."""
    try:
        stat = path.stat()
        stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        with _cache_lock:
            cached = _cache.get(path)
            if cached is None or cached[0] != stamp:
                cached = _cache[path] = (stamp, parse_known_hosts(path.read_text("utf-8", "replace"), str(path)))
        return cached[1]
    except FileNotFoundError:
        return KnownHosts(())
    except OSError as error:
        raise InputError(
            "known_hosts file cannot be read", where=path, why=error.strerror, next="check the path and its permissions"
        ) from None


def lookup_name(host: str, port: int) -> str:
    """The name under which known_hosts files keep this host."""
    return host if port == 22 else f"[{host}]:{port}"


def fingerprint(blob: bytes) -> str:
    """``SHA256:...`` as ssh prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


@frozen
class Verdict:
    """What is to be thought of a server's key. ``old``: the line that decided."""

    state: Literal["known", "unknown", "changed", "revoked", "authority"]
    old: KnownKey | None = None


def judge(known: Sequence[KnownKey], key_type: str, blob: bytes) -> Verdict:
    """Judge a key against all lines for this host. A revoked key is bad whatever else is said of it."""
    for key in known:
        if key.marker == "revoked" and key.blob == blob:
            return Verdict("revoked", key)
    plain = [key for key in known if not key.marker]
    for key in plain:
        if key.blob == blob:
            return Verdict("known", key)
    if plain:
        return Verdict("changed", next((key for key in plain if key.key_type == key_type), plain[0]))
    authority = next((key for key in known if key.marker == "cert-authority"), None)
    return Verdict("authority", authority) if authority else Verdict("unknown")


@frozen
class HostKeyPolicy:
    """The strict policy for one host: which files, under which name, and whether a new key may be recorded."""

    files: tuple[Path, ...]
    host: str
    port: int
    where: str
    accept_new: bool = False

    @property
    def name(self) -> str:
        return lookup_name(self.host, self.port)

    def known(self) -> list[KnownKey]:
        """All lines for this host. A host on another port is also found under its bare name, as in ssh."""
        exact = [key for path in self.files for key in known_hosts(path).of(self.name)]
        if self.port == 22 or any(not key.marker for key in exact):
            return exact
        return exact + [key for path in self.files for key in known_hosts(path).of(self.host)]

    def key_types(self) -> list[str]:
        """The key types we could verify, to ask the server for one of them."""
        return list(dict.fromkeys(key.key_type for key in self.known() if not key.marker))

    def check(self, key_type: str, blob: bytes) -> None:
        """Accept the key or raise UnreachableError(kind "host key")."""
        verdict = judge(self.known(), key_type, blob)
        if verdict.state == "unknown" and self.accept_new:
            verdict = record(self, key_type, blob)
        if verdict.state != "known":
            raise refusal(self, verdict, key_type, blob)


def record(policy: HostKeyPolicy, key_type: str, blob: bytes) -> Verdict:
    """Append an unknown key to the first file, under a lock; another process may have been faster."""
    path = policy.files[0]
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.open("a+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            stream.seek(0)
            text = stream.read()
            verdict = judge(
                parse_known_hosts(text.decode("utf-8", "replace"), str(path)).of(policy.name), key_type, blob
            )
            if verdict.state != "unknown":
                return verdict
            gap = b"" if not text or text.endswith(b"\n") else b"\n"
            line = gap + host_line(policy.name, key_type, blob).encode() + b"\n"
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise InputError(
            "the new host key cannot be recorded", where=path, why=error.strerror, next="make the file writable"
        ) from None
    return Verdict("known")


def host_line(name: str, key_type: str, blob: bytes) -> str:
    """The known_hosts line for a key."""
    return f"{name} {key_type} {base64.b64encode(blob).decode()}"


def refusal(policy: HostKeyPolicy, verdict: Verdict, key_type: str, blob: bytes) -> UnreachableError:
    """Say why a key is not accepted, with everything needed to check it by hand."""
    shown = f"{policy.name} shows {key_type} {fingerprint(blob)}"
    old = verdict.old
    at = f"{old.position}: {old.key_type} {fingerprint(old.blob)}" if old else ""
    if verdict.state == "changed":
        what, why = CHANGED, f"{shown}; known is {at}"
        advice = f"someone may be in between; if the host was really reinstalled, delete {old.position if old else ''}"
    elif verdict.state == "revoked":
        what, why, advice = (
            "host key is revoked",
            f"{shown}; revoked by {at}",
            "do not trust this host; give it a new key",
        )
    elif verdict.state == "authority":
        what, why = "host key is vouched for by an authority only", f"{shown}; @cert-authority is {at}"
        advice = "set coreops_transport: openssh for this host; it checks host certificates"
    else:
        what, why = UNKNOWN, f"{shown}; looked at {_list(policy.files)}"
        line = host_line(policy.name, key_type, blob)
        advice = f"compare the fingerprint, then pass --accept-new, or add this line to {policy.files[0]}: {line}"
    return UnreachableError("host key", what, where=policy.where, why=why, next=advice)


def _list(files: Iterable[Path]) -> str:
    return ", ".join(f"{path}{'' if path.exists() else ' (missing)'}" for path in files)


def preferred(known: Iterable[str], algorithms: Sequence[str]) -> tuple[str, ...]:
    """Return the algorithms in the order to offer them: those of the keys that are known for the host come first."""
    signatures = (name for kind in known for name in (_RSA_SIGNATURES if kind == "ssh-rsa" else (kind,)))
    return tuple(dict.fromkeys([*(name for name in signatures if name in algorithms), *algorithms]))
