"""``node``: this machine through each of three shells."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.modules.harness import Node, applets
from tests.support.shells import EACH_SHELL, SHELLS


@pytest.fixture(scope="session")
def busybox_tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return applets(tmp_path_factory.mktemp("busybox") / "bin")


@pytest.fixture(params=EACH_SHELL)
def node(request: pytest.FixtureRequest, tmp_path: Path, busybox_tools: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """Its ``base`` (the playbook's folder) is below tmp_path."""
    shell = str(request.param)
    if not shutil.which(SHELLS[shell][0]):
        pytest.skip(f"{shell} is not installed")
    if shell == "busybox":
        monkeypatch.setenv("PATH", f"{busybox_tools}:{os.environ['PATH']}")
    (tmp_path / "base").mkdir()
    return Node(shell, tmp_path / "base")
