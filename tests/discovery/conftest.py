"""Real etcd servers for the tests of discovery: the one that is shipped, and the system's where there is one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.store.conftest import etcd_bin as etcd_bin


@pytest.fixture(scope="session")
def shipped_etcd(etcd_bin: Path) -> Path:
    """etcd 3.5, as bootstrap installs it."""
    return etcd_bin / "etcd"


@pytest.fixture(scope="session", params=["shipped", "system"])
def etcd(request: pytest.FixtureRequest) -> Path:
    """One real etcd after the other."""
    if request.param == "shipped":
        found: Path = request.getfixturevalue("shipped_etcd")
        return found
    system = shutil.which("etcd")
    if system is None:
        pytest.skip("no etcd on this system: apt-get install etcd-server")
    return Path(system)
