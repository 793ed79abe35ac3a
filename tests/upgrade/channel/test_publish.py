"""Publishing: all or nothing, one at a time, never with the keys inside; and keys that are replaced."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from coreops.errors import InputError, RefusedError
from coreops.upgrade.channel import files, publish
from coreops.upgrade.channel.keys import Keys
from tests.upgrade.channel import shop as shops
from tests.upgrade.channel.shop import BOARD, NOW, Shop


def state(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_init(tmp_path: Path) -> None:
    pin = publish.init(tmp_path / "a" / "channel", tmp_path / "b" / "keys", now=NOW)
    assert hashlib.sha256(pin.root.read_bytes()).hexdigest() == pin.sha256
    assert pin.keys.stat().st_mode & 0o777 == 0o700
    held = sorted(path.name.split(".")[0] for path in pin.keys.glob("*.pem"))
    assert held == ["root", "snapshot", "targets", "timestamp"]
    assert {path.stat().st_mode & 0o777 for path in pin.keys.glob("*.pem")} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "a").rglob("*.json")} == {0o644}
    assert b"PRIVATE" not in b"".join(state(tmp_path / "a").values())


def test_init_again(shop: Shop, tmp_path: Path) -> None:
    before = state(shop.base)
    with pytest.raises(InputError, match="this is a channel repository already"):
        publish.init(shop.folder, tmp_path / "keys")
    with pytest.raises(InputError, match="these keys belong to a repository already"):
        publish.init(tmp_path / "channel", shop.keys)
    assert state(shop.base) == before


@pytest.mark.parametrize("inside", ["", "keys", "a/b/../keys"])
def test_keys_inside_the_repository(tmp_path: Path, inside: str) -> None:
    with pytest.raises(InputError, match="must not lie in the repository"):
        publish.init(tmp_path / "channel", tmp_path / "channel" / inside)
    assert not (tmp_path / "channel").exists()


def test_keys_inside_by_a_link(shop: Shop) -> None:
    shutil.move(shop.keys, shop.folder / "keys")
    shop.keys.symlink_to(shop.folder / "keys")
    with pytest.raises(InputError, match="must not lie in the repository"):
        shop.promote("1.1.0", "stable")


def test_no_repository_and_no_keys(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no channel repository"):
        publish.refresh(tmp_path / "nothing", shop.keys)
    assert not (tmp_path / "nothing").exists()
    with pytest.raises(InputError, match="not a folder of keys"):
        publish.refresh(shop.folder, tmp_path / "nothing")


def test_publish_with_everything(shop: Shop, tmp_path: Path) -> None:
    kernel = tmp_path / "-kernel 'x'"
    kernel.write_bytes(b"kernel" * 1000)
    done = shop.publish("2.0.0-rc.1+3", "beta", kernel=kernel, min_from="1.0.0", barrier=True, notes="$(x)\n'ü'")
    assert not done.again
    repository = shop.open()
    release = repository.release("beta", BOARD)
    assert release == done.release
    assert (release.min_from, release.barrier, release.notes, release.kernel_size) == ("1.0.0", True, "$(x)\n'ü'", 6000)
    assert repository.image(release).stat().st_size == release.size
    assert "were not checked: it is not a squashfs" in done.notes[0]


def test_the_same_image_again_changes_what_is_said(shop: Shop) -> None:
    before = shop.open().version("1.0.0", BOARD)
    done = shop.publish("1.0.0", "alpha", deadend="eats disks", codec="none")
    assert done.again
    found = shop.open().release("alpha", BOARD)
    assert (found.deadend, found.sha256) == ("eats disks", before.sha256)


def test_another_image_of_the_same_version(shop: Shop) -> None:
    (shop.base / "1.0.0.img").write_bytes(b"other")
    before = state(shop.folder)
    with pytest.raises(InputError, match="was published with another content"):
        shop.publish("1.0.0")
    assert state(shop.folder) == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"version": "v1"}, "is not a version"),
        ({"channel": "../stable"}, "cannot be the name of a channel"),
        ({"board": "AMD64"}, "cannot be the name of a board"),
        ({"min_from": "2.0.0"}, "is not older than"),
        ({"min_from": "x"}, "is not a version"),
    ],
)
def test_bad_words(shop: Shop, words: dict[str, str], says: str) -> None:
    before = state(shop.folder)
    right = {"version": "2.0.0", "channel": "alpha", "board": BOARD} | words
    with pytest.raises(InputError, match=says):
        publish.publish(shop.folder, shop.keys, shop.base / "1.0.0.img", **right)  # type: ignore[arg-type]
    assert state(shop.folder) == before


def test_two_boards(shop: Shop) -> None:
    shop.publish("1.0.0", "alpha", board="arm64-usr")
    assert shop.promote("1.0.0", "stable") == {BOARD: "1.0.0", "arm64-usr": ""}
    repository = shop.open()
    assert repository.boards() == [BOARD, "arm64-usr"]
    assert repository.channels("arm64-usr") == {"alpha": "1.0.0", "stable": "1.0.0"}


def test_promote_what_was_not_published(shop: Shop) -> None:
    before = state(shop.folder)
    with pytest.raises(InputError, match=r"releases: 1\.0\.0, 1\.1\.0") as caught:
        shop.promote("1.1.1", "stable")
    assert "did you mean" in str(caught.value)
    with pytest.raises(InputError, match="cannot be the name"):
        shop.promote("1.1.0", "a/b")
    assert state(shop.folder) == before


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_a_key_is_missing(shop: Shop, role: str) -> None:
    for key in shop.keys.glob(f"{role}.*.pem"):
        key.unlink()
    before = state(shop.folder)
    with pytest.raises(InputError, match=f"the key of {role} is missing"):
        shop.promote("1.1.0", "stable")
    with pytest.raises(InputError, match=f"the key of {role} is missing"):
        shop.publish("1.2.0")
    assert state(shop.folder) == before
    assert shop.open().channels(BOARD)["stable"] == "1.0.0"


def test_a_key_that_others_can_read(shop: Shop) -> None:
    for key in shop.keys.glob("timestamp.*.pem"):
        key.chmod(0o640)
    with pytest.raises(InputError, match="others can read this key"):
        publish.refresh(shop.folder, shop.keys, now=NOW)


@pytest.mark.parametrize("content", [b"", b"garbage", None])
def test_a_key_that_is_none(shop: Shop, content: bytes | None) -> None:
    (key,) = shop.keys.glob("timestamp.*.pem")
    (other,) = shop.keys.glob("snapshot.*.pem")
    key.write_bytes(other.read_bytes() if content is None else content)
    with pytest.raises(InputError, match="this key cannot be used"):
        publish.refresh(shop.folder, shop.keys, now=NOW)


def test_a_publisher_does_not_sign_what_somebody_altered(shop: Shop) -> None:
    path = shop.metadata("targets.json")
    path.write_bytes(path.read_bytes().replace(b'"barrier": false', b'"barrier": true '))
    shop.promote("1.1.0", "stable")  # from the state the publisher has verified himself
    assert not shop.open().version("1.1.0", BOARD).barrier
    path = shop.metadata("targets.json")
    path.write_bytes(path.read_bytes().replace(b'"barrier": false', b'"barrier": true '))
    shutil.rmtree(shop.keys / "trust")
    with pytest.raises(RefusedError):
        shop.promote("1.1.0", "stable")


def test_refresh(shop: Shop) -> None:
    for role in ("root", "targets", "snapshot"):  # what a machine with a timer has
        for key in shop.keys.glob(f"{role}.*.pem"):
            key.unlink()
    later = NOW + timedelta(days=300)
    ends = publish.refresh(shop.folder, shop.keys, days=3, now=later)
    assert ends["timestamp"] == later + timedelta(days=3)
    assert ends["targets"] == NOW + timedelta(days=365)
    ends = publish.refresh(shop.folder, shop.keys, now=later)
    assert ends["timestamp"] == later + timedelta(days=3)
    shop.open(now=later + timedelta(days=2))


def test_refresh_renews_what_would_expire(shop: Shop) -> None:
    ends = publish.refresh(shop.folder, shop.keys, now=NOW + timedelta(days=100))
    assert ends["snapshot"] == NOW + timedelta(days=365)
    later = NOW + timedelta(days=300)
    ends = publish.refresh(shop.folder, shop.keys, now=later)
    assert ends["targets"] == ends["snapshot"] == later + timedelta(days=365)
    shop.open(now=later)


@pytest.mark.parametrize(
    "roles", [[], ["root"], ["timestamp"], ["targets", "snapshot"], ["root", "targets", "snapshot", "timestamp"]]
)
def test_rotation(shop: Shop, roles: list[str]) -> None:
    shop.open()
    for turn in (2, 3):
        old = {role: list(shop.keys.glob(f"{role}.*.pem")) for role in roles}
        pin = publish.rotate(shop.folder, shop.keys, roles, now=NOW)
        assert pin.root.name == f"{turn}.root.json"
        assert shop.open().channels(BOARD)["stable"] == "1.0.0"
        for keys in old.values():
            for key in keys:
                key.unlink()
    shop.publish("1.2.0", "stable")
    assert shop.open().release("stable", BOARD).version == "1.2.0"
    assert shop.open(root=shop.metadata("root.json")).release("stable", BOARD).version == "1.2.0"


def test_a_key_that_was_replaced_signs_nothing(shop: Shop) -> None:
    stolen = shutil.copytree(shop.keys, shop.base / "stolen")
    publish.rotate(shop.folder, shop.keys, ["timestamp"], now=NOW)
    old = shop.metadata("timestamp.json").read_bytes()
    shop.open()
    from tuf.api.metadata import Metadata

    from coreops.upgrade.channel import book

    metadata = Metadata.from_bytes(old)
    metadata.signed.version += 1
    first = Metadata.from_file(str(shop.folder / "metadata" / "1.root.json")).signed
    book.sign(metadata, Keys(stolen).signers(first, "timestamp"))
    book.put_metadata(shop.folder, metadata)
    with pytest.raises(RefusedError, match="not signed by the keys"):
        shop.open()


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_a_lost_key_is_replaced(shop: Shop, role: str) -> None:
    for key in shop.keys.glob(f"{role}.*.pem"):
        key.unlink()
    publish.rotate(shop.folder, shop.keys, [role], now=NOW)
    shop.promote("1.1.0", "stable")
    assert shop.open().channels(BOARD)["stable"] == "1.1.0"


def test_rotation_needs_the_key_of_root(shop: Shop) -> None:
    for key in shop.keys.glob("root.*.pem"):
        key.unlink()
    before = state(shop.base)
    with pytest.raises(InputError, match="the key of root is missing"):
        publish.rotate(shop.folder, shop.keys, ["timestamp"], now=NOW)
    with pytest.raises(InputError, match="there is no role 'timestmp'"):
        publish.rotate(shop.folder, shop.keys, ["timestmp"], now=NOW)
    after = state(shop.base)
    assert {key: value for key, value in after.items() if "trust" not in key} == {
        key: value for key, value in before.items() if "trust" not in key
    }


KILLER = """
import os, shutil, signal, sys
from pathlib import Path
from tests.upgrade.channel.shop import Shop
base = Path(sys.argv[1])
replace = os.replace
for number in range(200):
    copy = base.with_name(f"killed-{number}")
    shutil.copytree(base, copy)
    child = os.fork()
    if child == 0:
        count = 0
        def dying(*words):
            global count
            count += 1
            if count > number:
                os.kill(os.getpid(), signal.SIGKILL)
            replace(*words)
        os.replace = dying
        {action}
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("action", "after"),
    [
        ('Shop(copy).publish("1.2.0", "stable")', "1.2.0"),
        (
            "from coreops.upgrade.channel import publish; from tests.upgrade.channel.shop import NOW; "
            'publish.rotate(Shop(copy).folder, Shop(copy).keys, ["root", "timestamp"], now=NOW)',
            "1.0.0",
        ),
    ],
    ids=["publish", "rotate"],
)
def test_kill_9_at_every_write(shop: Shop, action: str, after: str) -> None:
    (shop.base / "1.2.0.img").write_bytes(shops.image("1.2.0", 5000))
    subprocess.run(
        [sys.executable, "-c", KILLER.replace("{action}", action), str(shop.base)],
        check=True,
        cwd=Path(__file__).parents[3],
        timeout=120,
    )
    copies = sorted(shop.base.parent.glob("killed-*"), key=lambda path: int(path.name.split("-")[1]))
    assert len(copies) > 5
    seen = set()
    for copy in copies:
        killed = Shop(copy)
        seen.add(killed.open().channels(BOARD)["stable"])  # whole, the old or the new one
        killed.publish("1.2.0", "stable")  # and it goes on
        repository = killed.open()
        assert repository.image(repository.release("stable", BOARD)).stat().st_size
        assert repository.release("stable", BOARD).version == "1.2.0"
        assert not list(killed.folder.rglob(f"{files.UNFINISHED}*"))
    assert seen == {"1.0.0", after}


def together(*work: Callable[[], object]) -> None:
    errors: list[BaseException] = []

    def guarded(one: Callable[[], object]) -> None:
        try:
            one()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not errors, errors


def test_publishers_and_readers_at_once(shop: Shop) -> None:
    def reading() -> None:
        for _ in range(5):
            assert shop.open().channels(BOARD)["stable"] == "1.0.0"

    versions = [f"2.0.{number}" for number in range(4)]
    together(*(lambda version=version: shop.publish(version) for version in versions), reading, reading)  # type: ignore[misc]
    assert {release.version for release in shop.open().releases()} >= set(versions)


def test_who_waits_is_told(shop: Shop) -> None:
    waits = threading.Event()
    other = Shop(shop.base)
    with files.locked(shop.folder):
        thread = threading.Thread(
            target=publish.promote,
            args=(other.folder, other.keys, "1.1.0", "stable"),
            kwargs={"waiting": waits.set, "now": NOW},
        )
        thread.start()
        assert waits.wait(120)
        assert thread.is_alive()
    thread.join(120)
    assert shop.open().channels(BOARD)["stable"] == "1.1.0"


def test_a_disk_that_is_full_changes_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state(shop.folder)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        shop.publish("1.2.0")
    monkeypatch.undo()
    assert state(shop.folder) == before
