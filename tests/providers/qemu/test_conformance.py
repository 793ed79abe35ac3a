"""The provider ``qemu`` obeys the rules of all providers, with machines of real QEMU on a real bridge."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from coreops.providers.qemu.argv import PROGRAM
from tests.providers.conformance import ProviderConformance
from tests.providers.qemu.rig import QemuRig


def lacks() -> str | None:
    """Why machines on a bridge cannot be made here."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [name for name in (PROGRAM, "ip", "nsenter", "cp") if shutil.which(name) is None]
    if missing:
        return f"{missing[0]} is not installed"
    return None if Path("/dev/net/tun").exists() else "this kernel has no tap devices"


@pytest.mark.slow
@pytest.mark.skipif(lacks() is not None, reason=str(lacks()))
class TestQemu(ProviderConformance):
    @pytest.fixture
    def rig(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[QemuRig]:
        monkeypatch.setenv("PATH", os.environ["PATH"])
        rig = QemuRig(tmp_path)
        try:
            yield rig
        finally:
            rig.end()
