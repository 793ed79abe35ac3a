"""Secrets that are made once and kept beside the inventory, in ``pki/NAME`` (0600): gossip keys, tokens. Files only.

``load`` reads what is there and makes, in memory, what is missing; ``save`` writes that.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import stat
import tempfile
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coreops.errors import InputError
from coreops.schedulers.protocol import SecretKind

_BYTES = 32
_BEFORE = ".before"


@dataclass(frozen=True, slots=True)
class Kept:
    """files: name -> content, all of them. pending: the names that are not written yet."""

    root: Path
    files: Mapping[str, bytes] = field(repr=False)
    pending: tuple[str, ...]

    @property
    def made(self) -> tuple[str, ...]:
        """Those of ``pending`` that are new."""
        return tuple(name for name in self.pending if not name.endswith(_BEFORE))


def load(
    root: Path, wanted: Mapping[str, SecretKind], renew: Collection[str] = (), remember: Collection[str] = ()
) -> Kept:
    """renew: those to make anew. remember: those of which the old one is kept then, as one more line of NAME.before: a
    run that was broken off may have made one that never came into use.

    Raises InputError for a secret that others can read, or that is none.
    """
    files: dict[str, bytes] = {}
    pending = []
    for name, kind in wanted.items():
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name):
            raise ValueError(f"{name!r} cannot be the name of a secret")
        path = root / name
        if name in renew:
            if name in remember and path.exists():
                files[f"{name}{_BEFORE}"] = _history(root / f"{name}{_BEFORE}") + path.read_bytes().strip() + b"\n"
                pending.append(f"{name}{_BEFORE}")  # written first
            files[name] = _made(kind)
            pending.append(name)
            continue
        try:
            files[name] = path.read_bytes()
        except FileNotFoundError:
            files[name] = _made(kind)
            pending.append(name)
            continue
        except OSError as error:
            raise InputError("a secret cannot be read", where=path, why=error.strerror or str(error)) from error
        _check(path, files[name])
    return Kept(root, files, tuple(pending))


def _history(path: Path) -> bytes:
    return path.read_bytes().strip() + b"\n" if path.exists() else b""


def save(kept: Kept) -> None:
    """Write what is pending; each file whole or not at all, and readable by its owner only."""
    for name in kept.pending:
        kept.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=kept.root, prefix=".new-")  # 0600 from the start
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(kept.files[name])
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, kept.root / name)
        except BaseException:
            os.unlink(temporary)
            raise


def replaced(kept: Kept, name: str, content: bytes) -> Kept:
    """Write one that the engine has drawn."""
    now = Kept(kept.root, {**kept.files, name: content}, (name,))
    save(now)
    return Kept(now.root, now.files, ())


def _made(kind: SecretKind) -> bytes:
    if kind == "uuid":
        return f"{uuid.uuid4()}\n".encode()
    drawn = secrets.token_bytes(_BYTES)
    text = drawn.hex().encode() if kind == "hex" else base64.b64encode(drawn)
    return text + b"\n"


def _check(path: Path, content: bytes) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise InputError(
            "a secret of the cluster can be read by others",
            where=path,
            why=f"its mode is {mode:04o}",
            next=f"chmod 600 {path}; if it may have leaked, have new ones made (coreops bootstrap --rotate-tokens)",
        )
    if not content.strip():
        raise InputError("a secret of the cluster is empty", where=path, next="restore it from a backup")
