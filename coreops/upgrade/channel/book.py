"""The repository as its publisher sees it: reads the newest state as a client would, changes it, signs the next one.

What a reader may meet is always a whole state: new files get new names, and the one file that is replaced, the
timestamp, is replaced last and by rename. A publisher that dies in the middle leaves files that nothing refers to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from coreops.errors import InputError
from coreops.upgrade.channel import channels as channels_json
from coreops.upgrade.channel import files, reader, trust
from coreops.upgrade.channel.channels import Channels
from coreops.upgrade.channel.keys import Keys, check_apart
from coreops.upgrade.channel.source import Folder
from coreops.upgrade.channel.trust import METADATA, TARGETS, Trusted
from coreops.upgrade.release import Release

DAYS = {"root": 365, "targets": 365, "snapshot": 365, "timestamp": 14}
"""How long each role's signature is good for, where ``init`` is told nothing else."""

_DAYS = "x-coreops-days"
# For a publisher nothing has expired: he is the one who renews it.
_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)
_JSON = JSONSerializer(compact=False)


@contextmanager
def opened(folder: Path, keys: Keys, waiting: Callable[[], None] = lambda: None) -> Iterator[Book]:
    """The repository's newest state, verified, while no other publisher changes it."""
    check_apart(folder, keys.folder)
    if not (folder / METADATA / "1.root.json").is_file():
        raise InputError(
            "there is no channel repository", where=folder, next="pass --repo, or make one with coreops channel init"
        )
    keys.root()
    with files.locked(folder, waiting):
        files.sweep(folder)
        yield Book(folder, keys)


class Book:
    """One state of a repository that is to become the next one. Only below the lock."""

    def __init__(self, folder: Path, keys: Keys) -> None:
        self.folder = folder
        self.keys = keys
        self.trusted = self._read()

    def _read(self) -> Trusted:
        return trust.refresh(Folder(self.folder), self.keys.root(), self.keys.folder / "trust", _BEFORE_ALL)

    def releases(self) -> list[Release]:
        """What was published."""
        return reader.releases_of(self.trusted, str(self.folder))

    def channels(self) -> Channels:
        """Where the channels stand."""
        return reader.channels_of(Folder(self.folder), self.trusted)

    def put_target(self, target: str, size: int, sha256: str, custom: Mapping[str, Any] | None = None) -> None:
        """Let the next state have a target whose file is in its place already."""
        more = {"custom": dict(custom)} if custom is not None else {}
        self.trusted.targets.signed.targets[target] = TargetFile(size, {"sha256": sha256}, target, more)

    def put_channels(self, channels: Channels) -> None:
        """Let the next state have these channels."""
        put_channels(self.folder, self.trusted.targets.signed, channels)

    def signers(self, *roles: str) -> dict[str, list[CryptoSigner]]:
        """All that a commit of these roles signs with, in the order of signing. Raises InputError for a missing key."""
        return {role: self.keys.signers(self.trusted.root.signed, role) for role in following(roles)}

    def commit(self, *roles: str, now: datetime | None = None, also: Mapping[str, list[Any]] | None = None) -> None:
        """Sign and write the next state; then read it as a client.

        roles: which metadata gets a new version, besides those that must follow. also: role -> more signers.
        """
        signers = self.signers(*roles)
        for role in signers:
            metadata = getattr(self.trusted, role)
            metadata.signed.version += 1
            renew(metadata.signed, now)
            link(self.trusted, role)
            sign(metadata, [*signers[role], *(also or {}).get(role, ())])
            put_metadata(self.folder, metadata)
        self.trusted = self._read()


def following(roles: Iterable[str]) -> tuple[str, ...]:
    """What gets a new version when these roles do, in the order of signing: each vouches for the one before."""
    order = ("targets", "snapshot", "timestamp")
    return order[min(map(order.index, roles)) :]


def put_channels(folder: Path, targets: Targets, channels: Channels) -> None:
    """Write ``channels.json`` under its digest and name it in the targets."""
    data = channels_json.encode(channels)
    digest = hashlib.sha256(data).hexdigest()
    files.write(folder / trust.target_path(digest, channels_json.TARGET), data)
    targets.targets[channels_json.TARGET] = TargetFile(len(data), {"sha256": digest}, channels_json.TARGET)


def renew(signed: Any, now: datetime | None, days: int | None = None) -> None:
    """Let it expire as long from now as its role's metadata is good for."""
    good_for = days or int(signed.unrecognized_fields.get(_DAYS, DAYS[signed.type]))
    signed.unrecognized_fields[_DAYS] = good_for
    signed.expires = (now or datetime.now(UTC)).replace(microsecond=0) + timedelta(days=good_for)


def life(signed: Any) -> timedelta:
    """How long its role's metadata is good for."""
    return timedelta(days=int(signed.unrecognized_fields.get(_DAYS, DAYS[signed.type])))


def link(trusted: Trusted, role: str) -> None:
    """Put version, length and digest of what was signed before into the metadata that vouches for it."""
    if role == "snapshot":
        trusted.snapshot.signed.meta["targets.json"] = _described(trusted.targets)
    elif role == "timestamp":
        trusted.timestamp.signed.snapshot_meta = _described(trusted.snapshot)


def _described(metadata: Metadata[Any]) -> MetaFile:
    data = metadata.to_bytes(_JSON)
    return MetaFile(metadata.signed.version, len(data), {"sha256": hashlib.sha256(data).hexdigest()})


def sign(metadata: Metadata[Any], signers: list[Any]) -> None:
    """Replace all signatures."""
    metadata.signatures.clear()
    for signer in signers:
        metadata.sign(signer, append=True)


def put_metadata(folder: Path, metadata: Metadata[Any]) -> bytes:
    """Write signed metadata under its name."""
    signed = metadata.signed
    name = "timestamp.json" if signed.type == "timestamp" else f"{signed.version}.{signed.type}.json"
    data: bytes = metadata.to_bytes(_JSON)
    files.write(folder / METADATA / name, data)
    return data


def first(folder: Path, root: Root, days: Mapping[str, int], now: datetime | None) -> Trusted:
    """The unsigned first state of a new repository: no release, no channel."""
    for name in (METADATA, TARGETS):
        (folder / name).mkdir(parents=True, exist_ok=True)
    trusted = Trusted(Metadata(root), Metadata(Timestamp()), Metadata(Snapshot()), Metadata(Targets()))
    for role in DAYS:
        renew(getattr(trusted, role).signed, now, days.get(role))
    put_channels(folder, trusted.targets.signed, Channels())
    return trusted
