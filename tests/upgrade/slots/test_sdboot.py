"""The driver where systemd-boot decides: entries on an ESP instead of bits in the partition table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from coreops.model import Blob, Record, Segment, ShellStep
from coreops.upgrade.guard import Guard
from coreops.upgrade.observation import Ticket
from coreops.upgrade.release import Release
from coreops.upgrade.slots.usr import UsrSlots
from tests.upgrade.slots.conformance import Rig, SlotConformance, done, run, stage, survey
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


EITHER = {"USR-A", "USR-B"}
GOOD_A = "loader/entries/usr-a.conf"


@pytest.mark.lab
def test_power_cuts_in_the_middle_of_a_turn(rig: SdbootRig) -> None:
    _, ticket = stage(rig)
    wire(rig.machine)
    driver = rig.driver
    rig.machine.untouched = {GOOD_A: rig.machine.files()[GOOD_A]}
    assert cut_everywhere(rig, driver.activate(ticket, Guard()), EITHER) >= 4
    assert cut_everywhere(rig, driver.revert(Guard()), EITHER) >= 3
    done(rig, driver.activate(ticket, Guard()))
    rig.reboot()
    assert cut_everywhere(rig, driver.mark_good(Guard()), EITHER) >= 4
    assert cut_everywhere(rig, driver.roll_back(Guard()), EITHER) >= 4


@pytest.mark.lab
def test_power_cuts_on_the_way_back_without_an_image(rig: SdbootRig) -> None:
    upgraded(rig)
    wire(rig.machine)
    back = ticket_back(rig)
    good_b = "loader/entries/usr-b.conf"
    rig.machine.untouched = {path: rig.machine.files()[path] for path in (GOOD_A, good_b)}
    assert cut_everywhere(rig, rig.driver.activate(back, Guard()), EITHER) >= 4
    assert entries(rig) == ["usr-a+1.conf", "usr-a.conf", "usr-b.conf"]
    seen = survey(rig)
    assert (seen.next, seen.fallback) == ("USR-A", False)
    assert cut_everywhere(rig, rig.driver.revert(Guard()), EITHER) >= 3
    assert entries(rig) == ["usr-a.conf", "usr-b.conf"]
    done(rig, rig.driver.activate(back, Guard()))
    rig.reboot()
    rig.machine.untouched = {good_b: rig.machine.files()[good_b]}
    assert cut_everywhere(rig, rig.driver.mark_good(Guard()), EITHER) >= 6
    assert (rig.machine.next(), entries(rig)) == ("USR-A", ["usr-a.conf", "usr-b.conf"])


@pytest.mark.lab
@pytest.mark.parametrize("other", [1, 5])
def test_power_cuts_where_another_slot_would_boot(rig: SdbootRig, other: int) -> None:
    """Somebody has chosen the booted slot in the menu: to prefer it its own entry is written anew."""
    rig.machine.content(4).write(rig.machine.usr("1.1.0"))
    rig.machine.entry("usr-b.conf", 4, other)
    rig.machine.put("coreops/usr-b/vmlinuz", kernel("1.1.0"))
    assert "USR-B boots next, and coreops did not arrange that" in survey(rig).blockers[0]
    wire(rig.machine)
    rig.machine.kept = ("loader/entries/usr-a", "loader/entries/usr-b")
    cut_everywhere(rig, rig.driver.mark_good(Guard()), EITHER)
    assert (rig.machine.next(), entries(rig)) == ("USR-A", ["usr-a.conf", "usr-b.conf"])
    assert survey(rig).blockers == ()


def test_on_the_way_back_the_slot_is_on_trial_again(rig: SdbootRig) -> None:
    upgraded(rig)
    done(rig, rig.driver.activate(ticket_back(rig), Guard()))
    assert rig.machine.boot() == "USR-A"
    assert entries(rig) == ["usr-a+0-1.conf", "usr-a.conf", "usr-b.conf"]
    seen = survey(rig)
    assert (seen.good, seen.next, seen.fallback) == (False, "USR-B", True)
    done(rig, rig.driver.finish(Guard()))
    assert "not marked good" in (run(rig, rig.driver.stage(*rig.release("1.2.0"), Guard())) or "")


def test_a_slot_that_fell_back_is_tried_again(rig: SdbootRig) -> None:
    _, ticket = stage(rig)
    for _ in range(2):
        done(rig, rig.driver.activate(ticket, Guard()))
        assert entries(rig) == ["usr-a.conf", "usr-b+1.conf"]
        assert rig.machine.boot() == "USR-B"
        assert rig.machine.boot() == "USR-A"
    done(rig, rig.driver.revert(Guard()))
    assert entries(rig) == ["usr-a.conf"]


def test_what_a_power_cut_left_is_no_hindrance(rig: SdbootRig) -> None:
    _, ticket = stage(rig)
    rig.machine.put("loader/entries/usr-b+1.conf.new", b"version")
    done(rig, rig.driver.activate(ticket, Guard()))
    assert entries(rig) == ["usr-a.conf", "usr-b+1.conf"]


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (
            "echo default usr-a.conf >loader/loader.conf",
            "boot (/boot/loader/loader.conf: default usr-a.conf), so nothing",
        ),
        ("mkdir -p EFI/Linux; : >EFI/Linux/os.efi", "systemd-boot may boot /boot/EFI/Linux/os.efi instead"),
        (
            "printf 'linux /x\\nsort-key a' >loader/entries/x.conf",
            "the boot entry x.conf boots next, which is no slot's",
        ),
    ],
)
def test_who_else_would_decide_what_boots(rig: SdbootRig, script: str, says: str) -> None:
    rig.machine.esp(script)
    (blocker,) = survey(rig).blockers
    assert says in blocker


def test_a_default_in_the_firmware_s_variables(rig: SdbootRig) -> None:
    rig.machine.sh(": >/sys/firmware/efi/efivars/LoaderEntryDefault-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f")
    (blocker,) = survey(rig).blockers
    assert "(EFI variable LoaderEntryDefault)" in blocker


def test_who_would_mark_it_good_too_early(rig: SdbootRig) -> None:
    rig.machine.shim("systemctl", "case $1 in show) echo Id=systemd-bless-boot.service; echo LoadState=loaded ;; esac")
    (blocker,) = survey(rig).blockers
    assert "systemctl mask systemd-bless-boot.service" in blocker


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("sed -i 's/^version.*/version 1.0/' loader/entries/usr-a.conf", "usr-a.conf is no number (1.0)"),
        ("sed -i 's/^version.*//' loader/entries/usr-a.conf", "is no number ()"),
    ],
)
def test_a_version_that_is_no_number(rig: SdbootRig, script: str, says: str) -> None:
    rig.machine.esp(script)
    record = rig.step(rig.driver.survey())
    assert record.state == "failed"
    assert says in record.stderr.decode()


class TestKernel:
    def test_an_image_without_one(self, rig: SdbootRig) -> None:
        release, image = pack(rig.machine.folder, "1.1.0", rig.machine.usr("1.1.0"))
        why = run(rig, rig.driver.stage(release, image, Guard())) or ""
        assert "boots its kernel from /boot, and the image has none: publish it with --kernel" in why

    def test_no_room_for_it(self, rig: SdbootRig) -> None:
        rig.machine.shim("df", "echo Filesystem; echo /dev/vda1 100 98 2 98% /boot")
        assert "/boot has 2 KiB left" in (run(rig, rig.driver.stage(*rig.release("1.1.0"), Guard())) or "")

    def test_that_of_the_running_slot_is_not_sent_again(self, rig: SdbootRig) -> None:
        usr = rig.machine.usr("1.1.0")
        release, image = pack(rig.machine.folder, "1.1.0", usr, kernel=kernel("1.0.0"))
        sent: list[Blob | None] = []
        told: list[tuple[int, int]] = []
        program = rig.driver.stage(release, image, Guard(), lambda *each: told.append(each))
        assert run(rig, program, lambda step: sent.append(step.stdin)) is None
        assert sum(blob.size for blob in sent if blob) == usr.stat().st_size
        assert told[-1] == (release.size, release.size)
        files = rig.machine.files()
        assert files["coreops/usr-b/vmlinuz"] == files["coreops/usr-a/vmlinuz"] == kernel("1.0.0")
        assert "coreops/usr-b/vmlinuz.new" not in files
        assert rig.machine.content(4).is_file(usr)

    def test_that_of_the_running_slot_and_most_was_sent_before(self, rig: SdbootRig) -> None:
        release, image = rig.release("1.1.0")
        program = rig.driver.stage(release, image, Guard())
        for _ in range(2):
            segment = program.next()
            assert isinstance(segment, Segment)
            for step in segment.steps:
                if step.id != "stage.done":
                    program.feed(rig.step(step))  # type: ignore[arg-type]
        rig.machine.put("coreops/usr-a/vmlinuz", kernel("1.1.0"))
        sent: list[Blob | None] = []
        assert run(rig, rig.driver.stage(release, image, Guard()), lambda step: sent.append(step.stdin)) is None
        assert sent == [None, None]
        assert rig.machine.files()["coreops/usr-b/vmlinuz"] == kernel("1.1.0")

    def test_it_has_gone(self, rig: SdbootRig) -> None:
        _, ticket = stage(rig)
        rig.machine.esp("rm coreops/usr-b/vmlinuz")
        record = rig.step(rig.driver.activate(ticket, Guard()))
        assert "cannot boot: /boot/coreops/usr-b/vmlinuz is missing" in record.stderr.decode()
        assert entries(rig) == ["usr-a.conf"]


def test_an_esp_that_is_not_mounted(rig: SdbootRig) -> None:
    """It must not be taken for a node of GRUB's."""
    rig.machine.sh("umount /boot")
    assert b"kind gptprio" in rig.step(rig.driver.survey()).stdout
    file = "/sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
    rig.machine.sh(f"printf '\\006\\0\\0\\0%s' systemd-boot | sed 's/[a-z-]/&\\x00/g' >{file}")
    record = rig.step(rig.driver.survey())
    assert record.state == "failed"
    assert "systemd-boot started this node, but neither /boot" in record.stderr.decode()


def test_an_esp_that_is_full(rig: SdbootRig) -> None:
    _, ticket = stage(rig)
    # ext4 sets some aside for what is not on the disk yet, and has it again when that is.
    rig.machine.esp("for n in 1 2 3; do dd if=/dev/zero of=ballast$n bs=1k 2>/dev/null || :; sync -f .; done")
    record = rig.step(rig.driver.activate(ticket, Guard()))
    assert "usr-b+1.conf: is /boot full" in record.stderr.decode()
    assert entries(rig) in (["usr-a.conf"], ["usr-a.conf", "usr-b+1.conf.new"])
    assert rig.machine.boot() == "USR-A"


def test_an_entry_of_something_else(rig: SdbootRig) -> None:
    _, ticket = stage(rig)
    rig.machine.esp("sed -i 's/PARTUUID=.*/PARTLABEL=USR-A/' loader/entries/usr-a.conf")
    record = rig.step(rig.driver.activate(ticket, Guard()))
    assert "it is not the entry of a slot" in record.stderr.decode()


def test_entries_on_a_node_that_grub_boots(machines: Callable[..., Machine]) -> None:
    """Where the firmware is no UEFI, an ESP that lies there decides nothing."""
    machine = machines()
    folder = machine.state / "boot/loader/entries"
    folder.mkdir(parents=True)
    (folder / "usr-a.conf").write_text("linux /x\n")
    machine.boot()
    record = machine.step(UsrSlots().survey())
    assert b"kind gptprio" in record.stdout


def upgraded(rig: SdbootRig) -> None:
    """1.1.0 is good in B, and 1.0.0 in A."""
    _, ticket = stage(rig)
    done(rig, rig.driver.activate(ticket, Guard()))
    rig.reboot()
    done(rig, rig.driver.mark_good(Guard()))
    done(rig, rig.driver.finish(Guard()))


def ticket_back(rig: SdbootRig) -> Ticket:
    seen = survey(rig)
    return Ticket(run="r2", version="1.0.0", sha256="", slot=seen.passive, boot_id=seen.boot_id, stage="activated")
