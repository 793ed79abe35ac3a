"""Attacks on a repository: real files, altered, replayed, frozen, mixed, endless. Each is refused (exit 4)."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import Metadata

from coreops.errors import InputError, RefusedError
from coreops.upgrade.channel import book, publish, reader, trust
from coreops.upgrade.channel.keys import Keys
from coreops.upgrade.channel.source import Folder
from tests.upgrade.channel import shop as shops
from tests.upgrade.channel.shop import BOARD, NOW, Shop


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 0x01
    path.write_bytes(data)


def test_a_good_repository(shop: Shop) -> None:
    repository = shop.open()
    assert repository.channels(BOARD) == {"alpha": "1.1.0", "stable": "1.0.0"}
    assert [one.version for one in repository.releases()] == ["1.0.0", "1.1.0"]
    release = repository.release("stable", BOARD)
    assert repository.image(release).read_bytes() == shop.image_file("1.0.0").read_bytes()


@pytest.mark.parametrize("name", ["timestamp.json", "snapshot.json", "targets.json"])
@pytest.mark.parametrize("at", [0, 100, 300, 500, -100, -2])
def test_a_flipped_byte_in_metadata(shop: Shop, name: str, at: int) -> None:
    flip(shop.metadata(name), at)
    with pytest.raises(RefusedError) as caught:
        shop.open()
    assert name in str(caught.value)
    assert "no node was touched" in str(caught.value)


def test_a_flipped_byte_in_the_channels(shop: Shop) -> None:
    for path in shop.folder.glob("targets/*.channels.json"):
        flip(path, 20)
    with pytest.raises(RefusedError, match=r"channels\.json"):
        shop.open()


def test_a_flipped_byte_in_a_new_root(shop: Shop) -> None:
    publish.rotate(shop.folder, shop.keys, ["timestamp"], now=NOW)
    flip(shop.metadata("root.json"), 300)
    with pytest.raises(RefusedError, match=r"2\.root\.json"):
        shop.open()


def test_a_flipped_byte_in_an_image(shop: Shop) -> None:
    flip(shop.image_file("1.1.0"), 1000)
    repository = shop.open()
    with pytest.raises(RefusedError, match="not the one that was signed"):
        repository.image(repository.release("alpha", BOARD))
    assert not [path for path in (shop.cache / "images").iterdir() if path.suffix != ".lock"]


@pytest.mark.parametrize("how", ["shorter", "longer", "missing", "a pipe"])
def test_another_image(shop: Shop, how: str) -> None:
    path = shop.image_file("1.1.0")
    data = path.read_bytes()
    path.unlink()
    if how == "a pipe":
        os.mkfifo(path)
    elif how != "missing":
        path.write_bytes(data[:-1] if how == "shorter" else data + b"x")
    repository = shop.open()
    with pytest.raises(RefusedError, match="not the one that was signed"):
        repository.image(repository.release("alpha", BOARD))


def test_rollback(shop: Shop, tmp_path: Path) -> None:
    old = shutil.copytree(shop.folder, tmp_path / "old")
    shop.promote("1.1.0", "stable")
    assert shop.open().channels(BOARD)["stable"] == "1.1.0"
    with pytest.raises(RefusedError, match="rollback"):
        shop.open(old)
    with pytest.raises(RefusedError, match="rollback"):  # and it is not forgotten
        shop.open(old)
    assert shop.open().channels(BOARD)["stable"] == "1.1.0"


def sign_anew(shop: Shop, name: str, change: Any) -> None:
    """What somebody can do who has stolen one key: the one of ``name``."""
    path = shop.metadata(name)
    metadata: Metadata[Any] = Metadata.from_file(str(path))
    change(metadata.signed)
    root = Metadata.from_file(str(shop.metadata("root.json"))).signed
    book.sign(metadata, Keys(shop.keys).signers(root, metadata.signed.type))
    book.put_metadata(shop.folder, metadata)


def test_a_stolen_timestamp_key_cannot_roll_the_snapshot_back(shop: Shop) -> None:
    shop.open()
    before = int(shop.metadata("snapshot.json").name.split(".")[0]) - 1
    data = (shop.folder / "metadata" / f"{before}.snapshot.json").read_bytes()

    def change(timestamp: Any) -> None:
        timestamp.version += 1
        timestamp.snapshot_meta.version = before
        timestamp.snapshot_meta.length = len(data)
        timestamp.snapshot_meta.hashes = {"sha256": hashlib.sha256(data).hexdigest()}

    sign_anew(shop, "timestamp.json", change)
    with pytest.raises(RefusedError, match="rollback"):
        shop.open()


def test_stolen_timestamp_and_snapshot_keys_cannot_roll_the_targets_back(shop: Shop) -> None:
    shop.open()
    version = int(shop.metadata("targets.json").name.split(".")[0])
    data = (shop.folder / "metadata" / f"{version - 1}.targets.json").read_bytes()

    def snapshot(signed: Any) -> None:
        signed.version += 1
        meta = signed.meta["targets.json"]
        meta.version, meta.length = version - 1, len(data)
        meta.hashes = {"sha256": hashlib.sha256(data).hexdigest()}

    def timestamp(signed: Any) -> None:
        signed.version += 1
        newest = shop.metadata("snapshot.json").read_bytes()
        signed.snapshot_meta.version += 1
        signed.snapshot_meta.length = len(newest)
        signed.snapshot_meta.hashes = {"sha256": hashlib.sha256(newest).hexdigest()}

    sign_anew(shop, "snapshot.json", snapshot)
    sign_anew(shop, "timestamp.json", timestamp)
    with pytest.raises(RefusedError, match="rollback"):
        shop.open()


def test_freeze(shop: Shop) -> None:
    shop.open(now=NOW + timedelta(days=13))
    with pytest.raises(RefusedError, match="freeze") as caught:
        shop.open(now=NOW + timedelta(days=15))
    assert "coreops channel refresh" in str(caught.value)
    publish.refresh(shop.folder, shop.keys, now=NOW + timedelta(days=15))
    shop.open(now=NOW + timedelta(days=15))


def test_every_role_expires(shop: Shop) -> None:
    later = NOW + timedelta(days=366)
    with book.opened(shop.folder, Keys(shop.keys)) as state:
        state.commit("timestamp", now=later)
    with pytest.raises(RefusedError, match=r"root\.json is expired"):
        shop.open(now=later)
    publish.rotate(shop.folder, shop.keys, [], now=later)
    with pytest.raises(RefusedError, match=r"snapshot\.json is expired"):
        shop.open(now=later)
    with book.opened(shop.folder, Keys(shop.keys)) as state:
        state.commit("snapshot", now=later)
    with pytest.raises(RefusedError, match="targets is expired"):
        shop.open(now=later)
    publish.refresh(shop.folder, shop.keys, now=later)
    shop.open(now=later)


def test_mix_and_match(shop: Shop) -> None:
    newest = shop.metadata("targets.json")
    older = newest.with_name(f"{int(newest.name.split('.')[0]) - 1}.targets.json")
    shutil.copy(older, newest)
    with pytest.raises(RefusedError, match="mix-and-match"):
        shop.open()


def test_mixed_with_another_repository_of_the_same_version(shop: Shop, tmp_path: Path) -> None:
    other = shops.make(tmp_path / "other")
    shutil.copy(other.metadata("targets.json"), shop.metadata("targets.json"))
    with pytest.raises(RefusedError):
        shop.open()


def test_wrong_root(shop: Shop, tmp_path: Path) -> None:
    other = shops.make(tmp_path / "other")
    with pytest.raises(RefusedError, match="not signed by the keys that the pinned root names"):
        shop.open(root=other.root)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\x00", b"[1]"])
def test_a_root_that_is_none(shop: Shop, content: bytes) -> None:
    shop.root.write_bytes(content)
    with pytest.raises(InputError, match="not the root of a channel repository"):
        shop.open()


def test_a_root_that_was_altered(shop: Shop) -> None:
    flip(shop.root, 400)
    with pytest.raises(InputError, match="pinned root"):
        shop.open()


def test_no_root(shop: Shop) -> None:
    with pytest.raises(InputError, match="there is no pinned root of trust"):
        shop.open(root=shop.base / "nothing")


def test_no_repository(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no channel repository"):
        shop.open(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["snapshot.json", "targets.json"])
def test_half_a_mirror(shop: Shop, name: str) -> None:
    shop.metadata(name).unlink()
    with pytest.raises(RefusedError, match="is not complete"):
        shop.open()


def test_channels_held_back(shop: Shop) -> None:
    for path in shop.folder.glob("targets/*.channels.json"):
        path.unlink()
    with pytest.raises(RefusedError, match="is not complete"):
        shop.open()


def read(source: Folder, shop: Shop) -> reader.Repository:
    return reader.read(source, trust.refresh(source, shop.root.read_bytes(), shop.cache / "trust", NOW), shop.cache)


class Endless(Folder):
    """Never stops sending one file."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(folder)
        self.ends_with = name
        self.sent = 0

    def read(self, path: str, offset: int = 0) -> Iterator[bytes]:
        if not path.endswith(self.ends_with):
            yield from super().read(path, offset)
            return
        while True:
            self.sent += 1 << 20
            yield b" " * (1 << 20)


@pytest.mark.parametrize("name", ["timestamp.json", "snapshot.json", ".targets.json", "2.root.json", "channels.json"])
def test_endless_metadata(shop: Shop, name: str) -> None:
    source = Endless(shop.folder, name)
    with pytest.raises(RefusedError):
        read(source, shop)
    assert source.sent <= 2 << 20


def test_an_endless_image(shop: Shop) -> None:
    source = Endless(shop.folder, ".1.1.0.usr")
    repository = read(source, shop)
    with pytest.raises(RefusedError, match="endless data"):
        repository.image(repository.release("alpha", BOARD))
    assert source.sent <= 2 << 20


class Trickle(Folder):
    """Sends a byte now and then."""

    def read(self, path: str, offset: int = 0) -> Iterator[bytes]:
        for chunk in super().read(path, offset):
            yield from (chunk[at : at + 1] for at in range(len(chunk)))


def test_slow_retrieval(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10**6, 30))
    monkeypatch.setattr(trust.time, "monotonic", lambda: float(next(clock)))
    with pytest.raises(RefusedError, match="too slow"):
        trust.refresh(Trickle(shop.folder), shop.root.read_bytes(), shop.cache / "trust", NOW)


def test_two_pinned_roots_do_not_meet(shop: Shop, tmp_path: Path) -> None:
    other = shops.make(tmp_path / "other")
    shop.promote("1.1.0", "stable")
    shop.open()
    repository = reader.open_channel(other.folder, other.root, shop.cache, NOW)
    assert repository.channels(BOARD)["stable"] == "1.0.0"
    assert len(list((shop.cache / "trust").iterdir())) == 2


def test_what_was_seen_counts_for_every_mirror(shop: Shop, tmp_path: Path) -> None:
    mirror = shutil.copytree(shop.folder, tmp_path / "mirror")
    shop.promote("1.1.0", "stable")
    shop.open()
    with pytest.raises(RefusedError, match="rollback"):
        shop.open(mirror.as_uri())


def test_unknown_channel_board_version(shop: Shop) -> None:
    repository = shop.open()
    with pytest.raises(InputError, match="channels: alpha, stable") as caught:
        repository.release("stabel", BOARD)
    assert "did you mean 'stable'?" in str(caught.value)
    with pytest.raises(InputError, match="has no release for arm64-usr"):
        repository.release("stable", "arm64-usr")
    with pytest.raises(InputError, match=r"releases: 1\.0\.0, 1\.1\.0"):
        repository.version("1.1.1", BOARD)


def test_the_cache_is_hashed_every_time(shop: Shop) -> None:
    repository = shop.open()
    release = repository.release("alpha", BOARD)
    right = repository.image(release).read_bytes()
    flip(repository.image(release), 5)
    assert repository.image(release).read_bytes() == right


def test_part_of_an_image_is_completed_and_garbage_is_not(shop: Shop) -> None:
    repository = shop.open()
    release = repository.release("alpha", BOARD)
    right = shop.image_file("1.1.0").read_bytes()
    part = shop.cache / "images" / f"{release.sha256}.part"
    part.parent.mkdir(parents=True)
    for left in (right[:1000], b"garbage" * 100, right + b"more", right):
        part.write_bytes(left)
        found = repository.image(release)
        assert found.read_bytes() == right
        found.unlink()
