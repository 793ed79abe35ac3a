"""Releases that are bad, each in its own way: whatever it is, the cluster stays up, and nobody goes there twice."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coreops.providers.namespace import disk, image
from coreops.upgrade.channel import publish
from tests.lab import images
from tests.lab.store_client import Writer
from tests.lab.upgrades import NEW, OLD, Fleet, Node, eventually, fleet, last_lines
from tests.support.twice import shown_by

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def made(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet(tmp_path_factory.mktemp("bad"), "d", node_registry=False) as found:
        yield found


@pytest.fixture
def cluster(made: Fleet) -> Iterator[Fleet]:
    """All nodes run the old release, and nobody minds any other. Every test has a channel of its own."""
    before = made.look()
    assert {(node.slot, node.release) for node in before.values()} == {("USR-A", OLD)}
    shutil.rmtree(made.channel)
    shutil.rmtree(made.channel.with_name("channel.keys"))
    made.coreops("channel", "init")
    made.settings()
    yield made
    made.settle()
    for line in made.coreops("deny", "list", "-i", made.inventory).splitlines():
        if " denied " in line:
            made.coreops("deny", "clear", line.split()[0], "-i", made.inventory)


def well(cluster: Fleet, before: dict[str, Node], rebooted: str = "", boots: int = 0) -> None:
    """Everybody runs what they ran, nobody but one has rebooted, and etcd is well."""
    after = cluster.look()
    for name, was in before.items():
        now = after[name]
        assert (now.slot, now.release) == (was.slot, was.release)
        assert now.boots == was.boots + (boots if name == rebooted else 0), name
        assert now.bits["USR-A"][2]
        assert now.bits["USR-B"][1:] != (0, True), "a bad release counts as good"
        if name == rebooted:
            assert now.bits["USR-B"] == (0, 0, False)
    assert cluster.store.healthy()
    assert not cluster.store.keys("/coreops/upgrade/v1/leases/")


@pytest.mark.parametrize("kind", ["no_sshd", pytest.param("not_a_fs", marks=shown_by("tests/lab/test_slots.py"))])
def test_a_release_that_never_gets_to_sshd_falls_back_by_itself_and_is_denied(cluster: Fleet, kind: str) -> None:
    cluster.publish(getattr(images, kind)(), NEW)
    before = cluster.look()
    with Writer(cluster.store) as writer:
        said = cluster.upgrade(expect=1)
    writer.check()
    ends = last_lines(said)
    [canary] = [name for name, end in ends.items() if end.startswith("rolled back")]
    assert "came back on the old slot USR-A" in ends[canary]
    assert all(end.startswith("not reached") for name, end in ends.items() if name != canary)
    well(cluster, before, canary, boots=2)
    assert NEW in cluster.coreops("deny", "list", "-i", cluster.inventory)
    refused = cluster.upgrade(expect=4)
    assert f"{NEW} is denied" in refused
    assert "coreops deny clear" in refused
    well(cluster, before, canary, boots=2)


def test_a_release_under_which_etcd_does_not_start_is_left_again(cluster: Fleet) -> None:
    cluster.settings(upgrade_patience={"health": 20})
    cluster.publish(images.no_etcd(), NEW)
    before = cluster.look()
    with Writer(cluster.store) as writer:
        said = cluster.upgrade(expect=1)
    writer.check()
    ends = last_lines(said)
    [canary] = [name for name, end in ends.items() if end.startswith("rolled back")]
    assert "etcd" in ends[canary], ends
    well(cluster, before, canary, boots=2)
    denied = cluster.coreops("deny", "list", "-i", cluster.inventory)
    assert NEW in denied
    assert "etcd" in denied


def test_a_release_that_comes_up_silent_is_lost_until_its_power_was_cut(cluster: Fleet) -> None:
    cluster.settings(upgrade_patience={"back": 10, "survey": 20})
    cluster.publish(images.silent(), NEW)
    before = cluster.look()
    said = cluster.upgrade(expect=1)
    ends = last_lines(said)
    [lost] = [name for name, end in ends.items() if end.startswith("lost")]
    assert lost in cluster.coreops("locks", "list", "-i", cluster.inventory)
    assert "reboot" in cluster.coreops("locks", "explain", lost, "-i", cluster.inventory)
    assert lost in cluster.coreops("audit", "-i", cluster.inventory, expect=1)
    others = {name: node.boots for name, node in before.items() if name != lost}
    said = cluster.upgrade(expect=3)  # another rollout takes nobody else down
    assert f"{lost}: unreachable" in said or last_lines(said)[lost].startswith("unreachable")
    assert {name: cluster.boots(name) for name in others} == others
    cluster.lab.chaos(lost, "kill")
    cluster.lab.chaos(lost, "poweron")
    first = sorted(path.parent.name for path in cluster.folder.glob(".coreops/runs/*/rollout.jsonl"))[-2]
    said = cluster.coreops("resume", first, "--yes", expect=1)
    assert last_lines(said)[lost].startswith("rolled back")
    eventually(cluster.store.healthy, 120, "etcd is well")
    after = cluster.look()
    assert {(node.slot, node.release) for node in after.values()} == {("USR-A", OLD)}
    assert not cluster.store.keys("/coreops/upgrade/v1/leases/")
    assert NEW in cluster.coreops("deny", "list", "-i", cluster.inventory)


def test_what_was_changed_after_it_was_signed_is_refused(cluster: Fleet) -> None:
    cluster.publish(image.current().usr(NEW), NEW)
    before = cluster.fingerprint()
    [packed] = [path for path in (cluster.channel / "targets").rglob("*") if path.stat().st_size > 10 << 20]
    with changed(packed, offset=10 << 20):
        assert NEW in cluster.upgrade(expect=4)
    for role in ("timestamp", "snapshot", "targets"):
        shutil.rmtree(cluster.environment["COREOPS_CACHE"])  # what was verified once is not read again
        newest = max((cluster.channel / "metadata").glob(f"*{role}.json"), key=lambda path: path.stat().st_mtime_ns)
        with changed(newest, swap=(b'"expires": "20', b'"expires": "30')):
            said = cluster.upgrade(expect=4)
        assert role in said, said
    other = cluster.folder / "another"
    cluster.coreops("channel", "init", other)
    said = cluster.upgrade("--root", other / "metadata/1.root.json", expect=4)
    assert "root" in said
    shutil.rmtree(other)
    shutil.rmtree(cluster.folder / "another.keys")
    assert cluster.fingerprint() == before


def test_metadata_that_has_expired_is_refused(cluster: Fleet) -> None:
    past = datetime.now(UTC) - timedelta(days=20)
    old, keys = cluster.folder / "old", cluster.folder / "old.keys"
    publish.init(old, keys, now=past)
    usr = image.current().usr(NEW)
    publish.publish(old, keys, usr, version=NEW, channel="stable", board="amd64-usr", now=past)
    before = cluster.fingerprint()
    said = cluster.upgrade("--repository", old, "--root", keys / "root.json", expect=4)
    assert "expired" in said
    assert cluster.fingerprint() == before


def test_a_release_that_does_not_fit_is_refused_by_the_node(cluster: Fleet) -> None:
    large = cluster.folder / "large.img"
    with large.open("wb") as stream:
        stream.truncate(300 << 20)
    cluster.publish(large, NEW, "--codec", "zstd")
    before = cluster.look()
    said = cluster.upgrade(expect=1)
    assert "does not fit" in said
    assert str(256 << 20) in said
    well(cluster, before)


def test_a_slot_that_cannot_be_written_to_stops_before_any_reboot(cluster: Fleet) -> None:
    cluster.publish(image.current().usr(NEW), NEW)
    before = cluster.look()
    with read_only(cluster, "n2", 4):
        said = cluster.upgrade("--limit", "n2", expect=1)
    ends = last_lines(said)
    assert "could not be written to" in ends["n2"], said
    well(cluster, before)
    assert not cluster.coreops("deny", "list", "-i", cluster.inventory).count(NEW), (
        "the disk's fault, not the release's"
    )


def test_an_image_that_is_another_version_inside_never_boots(cluster: Fleet) -> None:
    wrong = images.wrong_version("9.9.9")
    assert "9.9.9" in cluster.publish(wrong, "1.3.0", expect=2)
    bare = subprocess.run(  # as where nobody can look into the image
        cluster.command("channel", "publish", wrong, "--version", "1.3.0", "--channel", "stable"),
        env={**cluster.environment, "PATH": "/nonexistent"},
        cwd=cluster.folder,
        capture_output=True,
        check=False,
    )
    assert bare.returncode == 0, bare.stderr
    before = cluster.look()
    said = cluster.upgrade("--limit", "n1", expect=1)
    assert "says it is 9.9.9 inside" in said
    well(cluster, before)


@contextmanager
def changed(file: Path, *, offset: int = 0, swap: tuple[bytes, bytes] | None = None) -> Iterator[None]:
    """A file with a bit flipped, or some bytes exchanged."""
    good = file.read_bytes()
    bad = bytearray(good)
    if swap:
        assert swap[0] in good, good[:300]
        bad = bytearray(good.replace(*swap))
    else:
        bad[offset] ^= 1
    file.write_bytes(bad)
    try:
        yield
    finally:
        file.write_bytes(good)


@contextmanager
def read_only(cluster: Fleet, name: str, partition: int) -> Iterator[None]:
    """A slot of a disk that takes no writes any more, as one does that has worn out."""
    [loop] = disk.loops_below(cluster.lab.names_of(name).disk)
    major, minor = disk.device_numbers(loop)[partition]
    device = cluster.folder / "slot"
    os.mknod(device, 0o60600, os.makedev(major, minor))
    try:
        subprocess.run(["blockdev", "--setro", str(device)], check=True)
        yield
    finally:
        subprocess.run(["blockdev", "--setrw", str(device)], check=True)
        device.unlink()
