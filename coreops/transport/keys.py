"""Private keys to authenticate with: files (parsed once per process) and the agent. Opens no connection to hosts."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from coreops.errors import InputError

if TYPE_CHECKING:
    from paramiko import Agent, PKey

DEFAULT_FILES = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")

_cache: dict[Path, tuple[int, PKey]] = {}
_cache_lock = threading.Lock()


class LazyAgent:
    """ssh-agent, asked only when one of its keys may be needed: with explicit key files it rarely is."""

    def __init__(self) -> None:
        self._agent: Agent | None = None

    def held(self) -> tuple[PKey, ...]:
        from paramiko import Agent

        if self._agent is None:
            self._agent = Agent()
        return tuple(self._agent.get_keys())

    def close(self) -> None:
        """Signing needs the agent too: close when authentication is over."""
        if self._agent is not None:
            self._agent.close()


class EncryptedKey(Exception):
    """The key file needs a passphrase. Internal."""


def load_key(path: Path, where: str) -> PKey:
    """Parse a private key (and its ``-cert.pub``), once per change. Raises InputError, EncryptedKey."""
    from paramiko import PKey

    try:
        stamp = path.stat().st_mtime_ns
        with _cache_lock:
            cached = _cache.get(path)
            if cached is None or cached[0] != stamp:
                cached = _cache[path] = (stamp, PKey.from_path(path))
        return cached[1]
    except OSError as error:
        raise InputError(
            f"key file {path} cannot be read",
            where=where,
            why=error.strerror,
            next="check ansible_ssh_private_key_file",
        ) from None
    except Exception as error:  # paramiko and cryptography raise a dozen unrelated types here
        if "encrypted" in str(error).lower() or "passphrase" in str(error).lower() or "password" in str(error).lower():
            raise EncryptedKey from None
        raise InputError(
            f"key file {path} is not a usable private key",
            where=where,
            why=str(error) or type(error).__name__,
            next="set coreops_transport: openssh for FIDO and PKCS#11 keys",
        ) from None


def candidates(files: tuple[Path, ...], default_keys: bool, agent: LazyAgent, where: str) -> list[PKey]:
    """The keys to offer, in order: named files; then, unless files were given explicitly, agent and default files.

    An encrypted file is looked for in the agent. Raises InputError.
    """
    keys: list[PKey] = []
    for path in files:
        if default_keys and not path.exists():
            continue
        try:
            keys.append(load_key(path, where))
        except EncryptedKey:
            keys.append(_from_agent(path, agent, where))
    if default_keys:
        keys += agent.held()
        for path in (Path(name).expanduser() for name in DEFAULT_FILES):
            if path not in files and path.exists():
                try:
                    keys.append(load_key(path, where))
                except EncryptedKey:
                    continue  # the agent's copy, if any, is offered already
    seen: dict[bytes, PKey] = {}
    for key in keys:
        seen.setdefault(key.asbytes(), key)
    return list(seen.values())


def _from_agent(path: Path, agent: LazyAgent, where: str) -> PKey:
    public = path.with_name(path.name + ".pub")
    words = public.read_text("utf-8", "replace").split() if public.exists() else []
    for key in agent.held():
        if len(words) > 1 and key.get_base64() == words[1]:
            return key
    raise InputError(
        f"key file {path} is encrypted", where=where, why="ssh-agent does not hold this key", next=f"run ssh-add {path}"
    )
