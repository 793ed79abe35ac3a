"""Machines of real QEMU with next to nothing in them. Skips, with the reason, where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coreops.providers.qemu import process
from coreops.providers.qemu.argv import PROGRAM, Uefi, Vm
from tests.providers.qemu import tiny

needs_qemu = pytest.mark.skipif(shutil.which(PROGRAM) is None, reason=f"{PROGRAM} is not installed")


@pytest.fixture
def vm(tmp_path: Path) -> Iterator[Callable[..., Vm]]:
    """Makes machines in folders with long and strange names; ends them all."""
    made: list[Path] = []

    def make(name: str = "one", **more: object) -> Vm:
        folder = tmp_path / f"{name}, 'x' $(y) {'a' * 100}"
        folder.mkdir()
        made.append(folder)
        (folder / "disk.img").write_bytes(bytes(1 << 20))
        return Vm(name, folder, folder / "disk.img", Uefi(*tiny.install(folder)), memory=128, **more)  # type: ignore[arg-type]

    yield make
    for folder in made:
        process.kill(folder)
