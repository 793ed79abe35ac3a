"""Disks and nodes that are not as they should be: refused in one clear sentence, nothing touched."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from coreops.errors import HostFailed
from coreops.model import ShellStep
from coreops.upgrade.guard import Guard
from coreops.upgrade.release import Codec
from tests.upgrade.slots.conformance import done, run, stage, survey
from tests.upgrade.slots.machine import SLOT_SIZE, Machine, pack
from tests.upgrade.slots.test_gptprio import MACHINES, MachineRig

pytestmark = pytest.mark.slow


@pytest.fixture
def rig(machines: Callable[..., Machine]) -> MachineRig:
    return MachineRig(machines())


def staged(rig: MachineRig, codec: Codec = "none", kernel: bytes = b"", **changed: object) -> str:
    """Stage 1.1.0; why it failed, "" when it did not."""
    release, image = pack(rig.machine.folder, "1.1.0", rig.machine.usr("1.1.0"), codec, kernel)
    return run(rig, rig.driver.stage(replace(release, **changed), image, Guard())) or ""  # type: ignore[arg-type]


@pytest.mark.parametrize("machine", MACHINES)
def test_foreign_bits_and_the_other_partitions_stay(machines: Callable[..., Machine], machine: tuple[str, str]) -> None:
    tool, shell = machine
    rig = MachineRig(machines(tool=tool, shell=shell))
    device = rig.machine.device
    rig.machine.set_bits(3, 1, 0, 1, other=1 | 1 << 60)
    rig.machine.set_bits(4, 0, 0, 0, other=1 << 2 | 1 << 57 | 1 << 63)
    before = subprocess.run(["sfdisk", "--dump", str(device)], capture_output=True, text=True, check=True).stdout
    _, ticket = stage(rig)
    done(rig, rig.driver.activate(ticket, Guard()))
    assert rig.machine.bits() == ((1, 0, 1), (2, 1, 0))
    done(rig, rig.driver.revert(Guard()))
    after = subprocess.run(["sfdisk", "--dump", str(device)], capture_output=True, text=True, check=True).stdout
    assert after == before


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("sector", [1, 2])
def test_a_damaged_primary_table(machines: Callable[..., Machine], machine: tuple[str, str], sector: int) -> None:
    tool, shell = machine
    rig = MachineRig(machines(tool=tool, shell=shell))
    with rig.machine.device.open("r+b") as disk:
        disk.seek(512 * sector)
        disk.write(b"\xff" * 16)
    assert "primary partition table is damaged" in survey(rig).blockers[0]
    assert "repair it first" in staged(rig)


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_every_codec(rig: MachineRig, codec: Codec) -> None:
    assert staged(rig, codec) == ""
    assert rig.machine.content(4).is_file(rig.machine.usr("1.1.0"))


def test_a_node_without_the_codec(rig: MachineRig) -> None:
    hidden = "command() { case $* in *zstd*) return 1 ;; esac; }\n"
    program = rig.driver.stage(*pack(rig.machine.folder, "1.1.0", rig.machine.usr("1.1.0"), "zstd"), Guard())
    segment = program.next()
    assert segment is not None
    record = rig.step(replace(segment.steps[0], probe=hidden + segment.steps[0].probe))  # type: ignore[call-arg,union-attr,operator]
    assert b"the node has no zstd" in record.stderr


def test_a_release_larger_than_the_slot(rig: MachineRig) -> None:
    frames = -(-(SLOT_SIZE + 1) // (64 * 1024))
    release, image = pack(rig.machine.folder, "1.1.0", rig.machine.usr("1.1.0"))
    release = replace(release, usr_size=SLOT_SIZE + 1, frames=(release.size,) + (0,) * (frames - 1))
    why = run(rig, rig.driver.stage(release, image, Guard())) or ""
    assert f"needs {SLOT_SIZE + 1} bytes, the passive slot USR-B has {SLOT_SIZE}" in why


def test_a_slot_that_is_mounted(rig: MachineRig) -> None:
    rig.machine.content(4).write(rig.machine.usr("1.1.0"))
    assert rig.machine.sh(f"mkdir /tmp/x; mount -o ro {rig.machine.device}p4 /tmp/x").returncode == 0
    assert "USR-B is mounted at /tmp/x: unmount it" in staged(rig)


def test_a_disk_that_fails_while_it_is_written(rig: MachineRig) -> None:
    rig.machine.shim(
        "dd", 'case "$*" in *of=/dev/*) cat >/dev/null; echo "dd: I/O error" >&2; exit 1;; esac; exec /usr/bin/dd "$@"'
    )
    why = staged(rig)
    assert "could not be written" in why
    assert "dd: I/O error" in why
    seen = survey(rig)
    assert (seen.staged, seen.next, rig.machine.bits()[1]) == ("", "USR-A", (0, 0, 0))
    rig.machine.shim("dd", 'exec /usr/bin/dd "$@"')
    assert staged(rig) == ""


def test_an_image_that_is_cut_off(rig: MachineRig) -> None:
    release, image = pack(rig.machine.folder, "1.1.0", rig.machine.usr("1.1.0"))
    image.write_bytes(image.read_bytes()[:-1000])
    assert "could not be written" in (run(rig, rig.driver.stage(release, image, Guard())) or "")
    assert survey(rig).staged == ""


def test_an_image_that_is_not_what_the_channel_says(rig: MachineRig) -> None:
    assert "is not what was sent" in staged(rig, usr_sha256="0" * 64)
    assert "it is 1.1.0 inside, the channel says 2.0.0" in staged(rig, version="2.0.0")
    assert survey(rig).staged == ""


def test_somebody_else_writes_to_the_staged_slot(rig: MachineRig) -> None:
    _, ticket = stage(rig)
    rig.machine.content(4).write(rig.machine.usr("1.2.0"))
    assert survey(rig).staged == ""
    assert b"does not hold the release any more" in rig.step(rig.driver.activate(ticket, Guard())).stderr


def test_a_slot_swapped_back_by_hand(rig: MachineRig) -> None:
    """A good slot that is not the booted one, whose version the next look tells."""
    rig.machine.content(4).write(rig.machine.usr("0.9.0"))
    rig.machine.set_bits(4, 1, 0, 1)
    seen = survey(rig)
    assert (seen.fallback, seen.passive_version, seen.next) == (True, "0.9.0", "USR-A")


class TestKernel:
    def test_it_goes_beside_the_passive_slot_s_and_nothing_is_left(self, rig: MachineRig) -> None:
        folder = _boot(rig.machine)
        kernel = bytes(range(256)) * 700
        assert staged(rig, "gzip", kernel) == ""
        assert (folder / "vmlinuz-b").read_bytes() == kernel
        assert sorted(file.name for file in folder.iterdir()) == ["vmlinuz-a", "vmlinuz-b"]
        assert (folder / "vmlinuz-a").read_bytes() == b"old"

    def test_that_of_the_running_slot_is_not_sent_again(self, rig: MachineRig) -> None:
        folder = _boot(rig.machine)
        kernel = bytes(range(256)) * 700
        (folder / "vmlinuz-a").write_bytes(kernel)
        release, image = pack(rig.machine.folder, "1.1.0", rig.machine.usr("1.1.0"), kernel=kernel)
        sent = 0

        def watch(step: ShellStep) -> None:
            nonlocal sent
            sent += step.stdin.size if step.stdin else 0

        assert run(rig, rig.driver.stage(release, image, Guard()), watch) is None
        assert sent == release.usr_size
        assert (folder / "vmlinuz-b").read_bytes() == kernel
        assert sorted(file.name for file in folder.iterdir()) == ["vmlinuz-a", "vmlinuz-b"]

    def test_where_it_does_not_fit(self, rig: MachineRig) -> None:
        _boot(rig.machine)
        rig.machine.shim("df", "echo Filesystem; echo /dev/vda1 100 98 2 98% /boot")
        assert "/boot/coreos has 2 KiB left" in staged(rig, "none", b"k" * 9000)

    def test_an_image_without_one_for_a_node_that_needs_one(self, rig: MachineRig) -> None:
        _boot(rig.machine)
        assert "boots its kernel from /boot/coreos, and the image has none" in staged(rig)

    def test_an_image_with_one_for_a_node_that_has_no_place_for_it(self, rig: MachineRig) -> None:
        assert "the image carries a kernel" in staged(rig, "none", b"kernel")


def _boot(machine: Machine) -> Path:
    folder = machine.state / "boot/coreos"
    folder.mkdir()
    for name in ("vmlinuz-a", "vmlinuz-b"):
        (folder / name).write_bytes(b"old")
    return folder


def test_a_node_without_slots(rig: MachineRig) -> None:
    step = rig.driver.survey()
    assert step.probe is not None
    done = subprocess.run(["dash", "-c", step.probe], capture_output=True, check=False)
    assert done.returncode == 2
    assert b"no partition of its own" in done.stderr or b"no slot of CoreOS" in done.stderr
    rig.machine.shim("cgpt", "exit 1")
    with pytest.raises(HostFailed, match="cgpt cannot read"):
        survey(rig)


def test_a_reboot_is_asked_of_systemd_once(rig: MachineRig) -> None:
    step = rig.driver.reboot(Guard())
    rig.machine.shim("systemd-run", 'echo "$*" >>/var/lib/coreops/asked')
    done(rig, step)
    assert "systemctl reboot" in (rig.machine.state / "lib/asked").read_text()
    rig.machine.shim("systemd-run", "echo exists already >&2; exit 1")
    assert b"systemd would not reboot: exists already" in rig.step(step).stderr
    rig.machine.shim("systemctl", "exit 0")
    done(rig, step)
