"""Where the real programs are. A test that asks for one that is missing is skipped with the reason.

cloud-init is unpacked by ``scripts/cloud-init``, never installed: nothing here downloads anything.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

_STAGES = Path("/usr/lib/dracut/modules.d/30ignition/ignition")


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


def ignition_validate() -> str:
    """Ignition's judge of configs."""
    found = shutil.which("ignition-validate")
    if found is None:
        pytest.skip("there is no ignition-validate (apt-get install ignition)")
    return found


def ignition() -> str:
    """Ignition itself, which needs root to give files away."""
    if not _STAGES.exists():
        pytest.skip("there is no ignition (apt-get install ignition)")
    if os.geteuid() != 0:
        pytest.skip("Ignition's files stage needs root")
    return str(_STAGES)
