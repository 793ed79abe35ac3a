"""A real lab of three nodes for a whole test session. Skips, with the reason, where no lab can run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.providers.namespace import image
from coreops.providers.namespace.host import require_linux_root, require_programs
from coreops.providers.namespace.lab import Lab


@pytest.fixture(scope="session")
def lab_host() -> None:
    """Skip unless this machine can carry a lab."""
    try:
        require_linux_root()
        require_programs(build=not image.current().disk.exists())
    except InputError as error:
        pytest.skip(f"no lab here: {error}")


@pytest.fixture(scope="session")
def lab(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Three nodes, shared by the session. A test that breaks one must mend it (``healthy`` does)."""
    name = f"t{os.getpid()}"
    folder: Path = tmp_path_factory.mktemp("inventories") / "lab"
    try:
        yield Lab.up(name, nodes=3, zones=3, inventory_folder=folder)
    finally:
        Lab.down(name)


@pytest.fixture
def healthy(lab: Lab) -> Iterator[Lab]:
    """The lab, with every node up, connected and awake before and after the test."""
    yield lab
    for status in lab.status():
        if status.state == "frozen":
            lab.chaos(status.node, "thaw")
        if status.link == "cut":
            lab.chaos(status.node, "heal")
    Lab.up(lab.names.lab, inventory_folder=lab.inventory)
