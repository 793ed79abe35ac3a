"""Ed25519 keys in OpenSSH's format, made for one lab and thrown away with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from coreops.providers.namespace.host import write_atomically


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A key: the text of its two files."""

    private: str = field(repr=False)
    public: str


def ensure_key(path: Path, comment: str) -> KeyPair:
    """Read the key at ``path`` and ``path``.pub, or make it."""
    public = path.with_name(path.name + ".pub")
    if not (path.exists() and public.exists()):
        pair = make_key(comment)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, pair.private, 0o600)
        write_atomically(public, pair.public + "\n")
    return KeyPair(path.read_text(), public.read_text().strip())


def make_key(comment: str) -> KeyPair:
    """Make a key."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, form.NoEncryption())
    public = key.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH)
    return KeyPair(private.decode(), f"{public.decode()} {comment}")
