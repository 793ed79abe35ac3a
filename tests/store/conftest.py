"""Fixtures for the store's tests. The real etcd comes from the packaged lock file, through the normal cache."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from coreops.errors import CoreopsError


@pytest.fixture(scope="session")
def etcd_bin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the real etcd, etcdctl and etcdutl."""
    from coreops.store import artifact, lockfile

    locked = lockfile.choose(lockfile.read(lockfile.DEFAULT), "etcd", "amd64", None, where=None)
    try:
        packed = artifact.archive(locked)
    except CoreopsError as error:
        pytest.skip(f"no real etcd: {error}")
    folder = tmp_path_factory.mktemp("etcd-bin")
    with tarfile.open(packed) as tar:
        tar.extractall(folder, filter="data")
    return folder
