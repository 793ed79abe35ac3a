"""Real etcd servers for the tests of discovery: the one that is shipped, and the distribution's where there is one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.store.conftest import etcd_bin as etcd_bin


def debian(program: str) -> Path | None:
    """A program of the distribution: as scripts/debian-etcd unpacks it, else the installed one."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    unpacked = cache / "coreops-tests/debian-etcd/usr/bin" / program
    found = str(unpacked) if unpacked.exists() else shutil.which(program)
    return Path(found) if found else None


@pytest.fixture(scope="session")
def shipped_etcd(etcd_bin: Path) -> Path:
    """etcd 3.5, as bootstrap installs it."""
    return etcd_bin / "etcd"


@pytest.fixture(scope="session", params=["shipped", "debian"])
def etcd(request: pytest.FixtureRequest) -> Path:
    """One real etcd after the other."""
    if request.param == "shipped":
        found: Path = request.getfixturevalue("shipped_etcd")
        return found
    system = debian("etcd")
    if system is None:
        pytest.skip("no etcd of the distribution (scripts/debian-etcd --prepare)")
    return system
