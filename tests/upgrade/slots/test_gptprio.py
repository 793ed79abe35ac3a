"""The driver for CoreOS's layout on a machine made of a disk image: every tool, every shell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from coreops.model import Record, ShellStep
from coreops.upgrade.release import Release
from coreops.upgrade.slots.usr import UsrSlots
from tests.upgrade.slots.conformance import Rig, SlotConformance
from tests.upgrade.slots.machine import Machine, pack

pytestmark = pytest.mark.slow


class MachineRig:
    def __init__(self, machine: Machine) -> None:
        self.driver = UsrSlots()
        self.machine = machine
        machine.boot()

    def release(self, version: str) -> tuple[Release, Path]:
        return pack(self.machine.folder, version, self.machine.usr(version))

    def step(self, step: ShellStep) -> Record:
        return self.machine.step(step)

    def reboot(self) -> None:
        self.machine.boot()


MACHINES = [
    pytest.param(("cgpt", "dash"), id="cgpt-dash"),
    pytest.param(("sfdisk", "busybox"), id="sfdisk-busybox", marks=pytest.mark.lab),
    pytest.param(("sgdisk", "bash"), id="sgdisk-bash", marks=pytest.mark.lab),
]


@pytest.mark.parametrize("machine", MACHINES)
class TestGptprio(SlotConformance):
    @pytest.fixture
    def rig(self, machines: Callable[..., Machine], machine: tuple[str, str]) -> Rig:
        tool, shell = machine
        return MachineRig(machines(tool=tool, shell=shell))
