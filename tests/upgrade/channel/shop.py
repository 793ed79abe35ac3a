"""A repository to read, to attack and to publish into."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from coreops.upgrade.channel import publish
from coreops.upgrade.channel.reader import Repository, open_channel

NOW = datetime(2030, 1, 1, tzinfo=UTC)
BOARD = "amd64-usr"


def image(version: str, size: int = 300_000) -> bytes:
    """Half of it compresses."""
    noise = random.Random(version)
    return noise.randbytes(size // 2) + version.encode() * (size // 2 // len(version))


@dataclass(frozen=True)
class Shop:
    base: Path

    @property
    def folder(self) -> Path:
        return self.base / "channel"

    @property
    def keys(self) -> Path:
        return self.base / "keys"

    @property
    def root(self) -> Path:
        return self.base / "pinned.json"

    @property
    def cache(self) -> Path:
        return self.base / "cache"

    def publish(self, version: str, channel: str = "alpha", **more: object) -> publish.Published:
        usr = self.base / f"{version}.img"
        if not usr.exists():
            usr.write_bytes(image(version))
        words = {"board": BOARD, "now": NOW} | more
        return publish.publish(self.folder, self.keys, usr, version=version, channel=channel, **words)  # type: ignore[arg-type]

    def promote(self, version: str, to: str) -> dict[str, str]:
        return publish.promote(self.folder, self.keys, version, to, now=NOW)

    def open(self, place: str | Path | None = None, now: datetime = NOW, root: Path | None = None) -> Repository:
        return open_channel(place or self.folder, root or self.root, self.cache, now)

    def metadata(self, name: str) -> Path:
        """``timestamp.json``, or the newest of ``snapshot.json``, ``targets.json``, ``root.json``."""
        folder = self.folder / "metadata"
        found = sorted(folder.glob(f"*.{name}"), key=lambda path: int(path.name.split(".")[0]))
        return found[-1] if found else folder / name

    def image_file(self, version: str) -> Path:
        (found,) = self.folder.glob(f"targets/*/*.{version}.usr")
        return found

    def copy(self, base: Path) -> Shop:
        shutil.copytree(self.base, base, dirs_exist_ok=True)
        return Shop(base)


def make(base: Path) -> Shop:
    shop = Shop(base)
    pin = publish.init(shop.folder, shop.keys, now=NOW)
    shutil.copy(pin.root, shop.root)
    shop.publish("1.0.0", kernel=None)
    shop.publish("1.1.0")
    shop.promote("1.0.0", "stable")
    return shop
