"""The driver where systemd-boot decides: entries on an ESP instead of bits in the partition table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from coreops.model import Record, ShellStep
from coreops.upgrade.guard import Guard
from coreops.upgrade.release import Release
from coreops.upgrade.slots.usr import UsrSlots
from tests.upgrade.slots.conformance import Rig, SlotConformance, done, stage
from tests.upgrade.slots.machine import Machine, SdbootMachine, kernel, pack
from tests.upgrade.slots.test_power_cuts import cut_everywhere, wire

pytestmark = pytest.mark.slow


class SdbootRig:
    def __init__(self, machine: SdbootMachine) -> None:
        self.driver = UsrSlots()
        self.machine = machine
        machine.boot()

    def release(self, version: str) -> tuple[Release, Path]:
        return pack(self.machine.folder, version, self.machine.usr(version), kernel=kernel(version))

    def step(self, step: ShellStep) -> Record:
        return self.machine.step(step)

    def reboot(self) -> None:
        self.machine.boot()


MACHINES = [
    pytest.param(("cgpt", "dash"), id="cgpt-dash"),
    pytest.param(("sfdisk", "busybox"), id="sfdisk-busybox", marks=pytest.mark.lab),
    pytest.param(("sgdisk", "bash"), id="sgdisk-bash", marks=pytest.mark.lab),
]
Make = Callable[..., SdbootMachine]


@pytest.mark.parametrize("machine", MACHINES)
class TestSdboot(SlotConformance):
    @pytest.fixture
    def rig(self, machines: Callable[..., Machine], machine: tuple[str, str]) -> Rig:
        tool, shell = machine
        return SdbootRig(machines(SdbootMachine, tool=tool, shell=shell))  # type: ignore[arg-type]


@pytest.fixture
def rig(machines: Make) -> SdbootRig:
    return SdbootRig(machines(SdbootMachine))


def entries(rig: SdbootRig) -> list[str]:
    return [path.rpartition("/")[2] for path, _ in rig.machine.bits()]


def test_the_entries_of_a_turn(rig: SdbootRig) -> None:
    assert entries(rig) == ["usr-a.conf"]
    _, ticket = stage(rig)
    assert entries(rig) == ["usr-a.conf"]
    done(rig, rig.driver.activate(ticket, Guard()))
    assert entries(rig) == ["usr-a.conf", "usr-b+1.conf"]
    rig.reboot()
    assert entries(rig) == ["usr-a.conf", "usr-b+0-1.conf"]
    done(rig, rig.driver.mark_good(Guard()))
    assert entries(rig) == ["usr-a.conf", "usr-b.conf"]
    text = rig.machine.files()["loader/entries/usr-b.conf"].decode().splitlines()
    assert "version 2" in text
    assert "linux /coreops/usr-b/vmlinuz" in text
    assert rig.machine.files()["coreops/usr-b/vmlinuz"] == kernel("1.1.0")


def test_power_cuts_in_the_middle_of_a_turn(rig: SdbootRig) -> None:
    _, ticket = stage(rig)
    wire(rig.machine)
    driver, either = rig.driver, {"USR-A", "USR-B"}
    assert cut_everywhere(rig, driver.activate(ticket, Guard()), either) >= 4
    assert cut_everywhere(rig, driver.revert(Guard()), {"USR-A", "USR-B"}) >= 3
    done(rig, driver.activate(ticket, Guard()))
    rig.reboot()
    assert cut_everywhere(rig, driver.mark_good(Guard()), either) >= 4
    assert cut_everywhere(rig, driver.roll_back(Guard()), either) >= 4
