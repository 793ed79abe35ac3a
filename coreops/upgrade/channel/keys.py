"""The publisher's keys: a folder of their own, mode 0700, outside the repository; for each a ``ROLE.KEYID.pem``, 0600.

``root.json`` beside them is the root the publisher himself trusts. A folder may lack keys: whoever only refreshes needs
only the key of the timestamp.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner, Key, SSlibKey
from tuf.api.metadata import Root

from coreops.errors import InputError
from coreops.upgrade.channel import files
from coreops.upgrade.channel.trust import read_root

ROLES = ("root", "targets", "snapshot", "timestamp")
ROOT = "root.json"
_ID = 16


class Keys:
    """The folder of keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def root(self) -> bytes:
        """The root that the publisher trusts. Raises InputError."""
        if not (self.folder / ROOT).is_file():
            raise InputError(
                "this is not a folder of keys of a channel repository",
                where=self.folder,
                why=f"it has no {ROOT}",
                next="pass --keys, or make a repository with coreops channel init",
            )
        return read_root(self.folder / ROOT)

    def pin(self, root: bytes) -> None:
        """Keep the root that the publisher trusts."""
        files.write(self.folder / ROOT, root)

    def create(self, role: str) -> CryptoSigner:
        """Make a new key; nothing signs with it until a root names it."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.chmod(self.folder, 0o700)
        signer = CryptoSigner.generate_ed25519()
        files.write(self._path(role, signer.public_key.keyid), signer.private_bytes, 0o600)
        return signer

    def signers(self, root: Root, role: str) -> list[CryptoSigner]:
        """The keys of a role that are here, as many as it needs at least. Raises InputError."""
        wanted = root.roles[role]
        found = [
            self._load(path, root.keys[keyid]) for keyid in wanted.keyids if (path := self._path(role, keyid)).exists()
        ]
        if len(found) < wanted.threshold:
            raise InputError(
                f"the key of {role} is missing",
                where=self.folder,
                why=f"there is no {self._path(role, wanted.keyids[0]).name}",
                next="run this where the key is, or bring the key here; a lost key is replaced by: "
                f"coreops channel rotate {role} (which needs the key of root)",
            )
        return found

    def has(self, root: Root, roles: Iterable[str]) -> bool:
        """Whether the keys of all these roles are here."""
        return all(
            sum(self._path(role, keyid).exists() for keyid in root.roles[role].keyids) >= root.roles[role].threshold
            for role in roles
        )

    def _path(self, role: str, keyid: str) -> Path:
        return self.folder / f"{role}.{keyid[:_ID]}.pem"

    @staticmethod
    def _load(path: Path, public: Key) -> CryptoSigner:
        if path.stat().st_mode & 0o077:
            raise InputError(
                "others can read this key", where=path, next=f"chmod 600 {path}, and think of replacing it"
            )
        try:
            private = load_pem_private_key(path.read_bytes(), None)
            return CryptoSigner(private, cast(SSlibKey, public))
        except (ValueError, TypeError, OSError) as error:
            raise InputError("this key cannot be used", where=path, why=str(error) or type(error).__name__) from error


def check_apart(folder: Path, keys: Path) -> None:
    """Keys in the repository would be published with it. Raises InputError."""
    repository, place = folder.resolve(), keys.resolve()
    if place == repository or repository in place.parents:
        raise InputError(
            "the keys must not lie in the repository",
            where=keys,
            why=f"all in {folder} is published",
            next="pass --keys",
        )
