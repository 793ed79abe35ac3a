"""Where cloud-init is: ``scripts/cloud-init`` unpacks it. Nothing here downloads it; without it, tests are skipped."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class CloudInit:
    """cloud-init: its command, and how to run other programs with its Python and its modules."""

    command: str
    python: str
    env: dict[str, str]


def cloud_init() -> CloudInit:
    """The one in the cache, else the installed one."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = cache / "coreops-tests" / "cloud-init"
    if (home / "cloud-init").exists():
        modules = home / "root/usr/lib/python3/dist-packages"
        python = str(home / "venv/bin/python")
        return CloudInit(str(home / "cloud-init"), python, {**os.environ, "PYTHONPATH": str(modules)})
    installed = shutil.which("cloud-init")
    if installed is None:
        pytest.skip("there is no cloud-init (scripts/cloud-init --prepare)")
    return CloudInit(installed, "/usr/bin/python3", dict(os.environ))
