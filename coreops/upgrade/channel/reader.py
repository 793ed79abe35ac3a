"""A channel repository as a controller sees it: releases, channels, images, all verified before they are shown."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from coreops.errors import InputError, did_you_mean
from coreops.upgrade.channel import channels as channels_json
from coreops.upgrade.channel import custom, images
from coreops.upgrade.channel.channels import Channels
from coreops.upgrade.channel.source import NotThere, Source, source
from coreops.upgrade.release import Release
from coreops.upgrade.version import parse

if TYPE_CHECKING:
    from coreops.upgrade.channel.trust import Trusted


def default_cache() -> Path:
    """Where images and what was seen are kept: $COREOPS_CACHE, or coreops below the user's cache folder."""
    own = os.environ.get("COREOPS_CACHE")
    base = Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "coreops"
    return base / "channels"


@dataclass(frozen=True, slots=True)
class Repository:
    """One verified state of a repository. expires: role -> when its metadata does."""

    name: str
    expires: Mapping[str, datetime]
    _source: Source = field(repr=False)
    _channels: Channels = field(repr=False)
    _releases: tuple[Release, ...] = field(repr=False)
    _cache: Path = field(repr=False)

    def releases(self) -> tuple[Release, ...]:
        """All releases, by board and version."""
        return self._releases

    def boards(self) -> list[str]:
        """All boards that have a channel."""
        return sorted(self._channels.boards)

    def channels(self, board: str) -> dict[str, str]:
        """Channel -> version."""
        return dict(self._channels.boards.get(board, {}))

    def release(self, channel: str, board: str) -> Release:
        """What a channel has for a board. Raises InputError that lists what there is."""
        known = self._channels.names()
        if channel not in known:
            raise InputError(
                f"there is no channel {channel!r}",
                where=self.name,
                why=f"channels: {', '.join(known)}" if known else "nothing was published yet",
                next=did_you_mean(channel, known),
            )
        version = self.channels(board).get(channel)
        if version is None:
            boards = [one for one, has in self._channels.boards.items() if channel in has]
            raise InputError(
                f"the channel {channel} has no release for {board}",
                where=self.name,
                why=f"it has releases for {', '.join(sorted(boards))}",
                next=f"publish one with --board {board}",
            )
        return self.version(version, board)

    def version(self, version: str, board: str) -> Release:
        """One release. Raises InputError."""
        known = {release.version: release for release in self._releases if release.board == board}
        if version not in known:
            raise InputError(
                f"there is no release {version} for {board}",
                where=self.name,
                why=f"releases: {', '.join(known)}" if known else f"nothing was published for {board}",
                next=did_you_mean(version, known),
            )
        return known[version]

    def stream(self, release: Release) -> Iterator[bytes]:
        """The image's bytes as the repository has them, unverified: to verify them."""
        from coreops.upgrade.channel.trust import target_path

        return self._source.read(target_path(release.sha256, release.target))

    def image(self, release: Release, tell: images.Tell = lambda done, total: None) -> Path:
        """The image, on this machine; hashed now. Raises RefusedError, CoreopsError."""
        from coreops.upgrade.channel.trust import target_path

        path = target_path(release.sha256, release.target)
        return images.bring(self._source, path, release, self._cache / "images", tell)


def open_channel(place: str | Path, root: Path, cache: Path | None = None, now: datetime | None = None) -> Repository:
    """Open the repository at a URL or in a folder and verify it against the pinned root.

    Raises InputError for what is not there or cannot be understood, RefusedError for what looks like an attack.
    """
    from coreops.upgrade.channel import trust

    origin = source(place)
    cache = cache or default_cache()
    return read(origin, trust.refresh(origin, trust.read_root(root), cache / "trust", now, root), cache)


def read(origin: Source, trusted: Trusted, cache: Path) -> Repository:
    """The repository that verified metadata describes."""
    releases = releases_of(trusted, origin.name)
    return Repository(
        origin.name,
        {role: getattr(trusted, role).signed.expires for role in ("root", "timestamp", "snapshot", "targets")},
        origin,
        channels_of(origin, trusted),
        tuple(sorted(releases, key=lambda one: (one.board, parse(one.version)))),
        cache,
    )


def releases_of(trusted: Trusted, where: str) -> list[Release]:
    """Every release of the signed targets."""
    from coreops.upgrade.channel.trust import sha256_of

    return [
        custom.decode(path, target.length, sha256_of(target), target.unrecognized_fields.get("custom"), where)
        for path, target in trusted.targets.signed.targets.items()
        if path != channels_json.TARGET
    ]


def channels_of(origin: Source, trusted: Trusted) -> Channels:
    """The signed target ``channels.json``, fetched and verified."""
    from tuf.api.exceptions import LengthOrHashMismatchError

    from coreops.upgrade.channel import trouble, trust

    target = trusted.targets.signed.targets.get(channels_json.TARGET)
    if target is None or target.length > channels_json.LARGEST:
        raise InputError(f"the repository has no {channels_json.TARGET} that can be used", where=origin.name)
    path = trust.target_path(trust.sha256_of(target), channels_json.TARGET)
    data = bytearray()
    try:
        for chunk in origin.read(path):
            data += chunk
            if len(data) > target.length:
                break
        target.verify_length_and_hashes(bytes(data))
    except NotThere as error:
        raise trouble.missing(origin.name, path) from error
    except LengthOrHashMismatchError as error:
        raise trouble.told(error, origin.name, path) from error
    return channels_json.decode(bytes(data), origin.name)
