"""Fixtures: a real etcd, from the packaged lock file through the normal cache, and a node that registers there."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from coreops.errors import CoreopsError
from coreops.registration import record
from coreops.store import artifact, lockfile
from tests.registration.real_etcd import Etcd, Node


@pytest.fixture(scope="session")
def etcd_bin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    locked = lockfile.choose(lockfile.read(lockfile.DEFAULT), "etcd", "amd64", None, where=None)
    try:
        packed = artifact.archive(locked)
    except CoreopsError as error:
        pytest.skip(f"no real etcd: {error}")
    folder = tmp_path_factory.mktemp("etcd-bin")
    with tarfile.open(packed) as tar:
        tar.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def etcd(etcd_bin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    made = Etcd(etcd_bin, tmp_path_factory.mktemp("etcd"))
    yield made
    made.stop()


@pytest.fixture
def node(etcd: Etcd, tmp_path: Path) -> Iterator[Node]:
    made = Node(etcd, tmp_path / "node")
    yield made
    if made.process is not None:
        made.stop(kill=True)
    etcd.ctl("del", "--prefix", record.PREFIX, check=False)
