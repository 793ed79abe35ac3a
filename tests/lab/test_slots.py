"""The slot driver on a real node: conformance, images that fall back, transfers that break off."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from coreops.engine.engine import Engine, HostOutcome
from coreops.engine.program import Program
from coreops.engine.steps import StepsProgram
from coreops.events import Emit, Event, Progress
from coreops.model import Record, ShellStep, Target
from coreops.providers.namespace import disk
from coreops.providers.namespace.host import wait_until
from coreops.providers.namespace.lab import Lab
from coreops.providers.namespace.node import is_ready, run_state
from coreops.shell.quote import q
from coreops.upgrade.guard import FOLDER, Guard
from coreops.upgrade.observation import Ticket
from coreops.upgrade.release import Release
from coreops.upgrade.slots import staging
from coreops.upgrade.slots.stream import StageProgram
from coreops.upgrade.slots.usr import UsrSlots
from tests.lab import images
from tests.support import twice
from tests.upgrade.slots.conformance import SlotConformance, done, guard, run, stage, survey

pytestmark = pytest.mark.lab

FRAME = 4 << 20


def pack(usr: Path, version: str) -> tuple[Release, Path]:
    """A squashfs is its own image: its frames are not compressed again."""
    with usr.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    size = usr.stat().st_size
    release = Release(
        version=version,
        board="amd64-usr",
        target=usr.name,
        size=size,
        sha256=sha256,
        codec="none",
        frame=FRAME,
        frames=tuple(min(FRAME, size - at) for at in range(0, size, FRAME)),
        usr_size=size,
        usr_sha256=sha256,
    )
    return release, usr


class LabRig:
    """Node n1 of a lab, reached as coreops reaches it."""

    def __init__(self, lab: Lab, target: Target) -> None:
        self.driver = UsrSlots()
        self.lab = lab
        self._target = target
        self._runs = 0

    def drive(self, program: Program, watch: Emit = lambda event: None) -> HostOutcome:
        self._runs += 1
        with Engine({"n1": self._target}, watch, run=f"slots-{os.getpid()}-{self._runs}") as engine:
            return engine.drive({"n1": program})["n1"]

    def release(self, version: str) -> tuple[Release, Path]:
        return pack(self.lab.image.usr(version), version)

    def step(self, step: ShellStep) -> Record:
        program = StepsProgram([step])
        outcome = self.drive(program)
        assert program.records, outcome
        return program.records[step.id]

    def reboot(self) -> None:
        boots = self.boots
        done(self, self.driver.reboot(guard(self)))
        self.await_boot(boots + 1)

    @property
    def boots(self) -> int:
        return int(run_state(self.lab.names_of("n1"))["boots"])

    def await_boot(self, number: int) -> None:
        """Wait until the node is up in its boot of that number (since it was switched on)."""
        names, node = self.lab.names_of("n1"), self.lab.node("n1")
        assert wait_until(lambda: self.boots >= number and is_ready(names, node), 90)

    def sh(self, command: str) -> str:
        done = subprocess.run(self.lab.ssh_command("n1", [command]), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def reset(self) -> None:
        """As a fresh node: 1.0.0 good in A, nothing in B, no notes."""
        if not is_ready(self.lab.names_of("n1"), self.lab.node("n1")):  # a test has failed
            if self.lab.status()[0].pid is not None:
                self.lab.chaos("n1", "kill")
            self.lab.chaos("n1", "poweron")
        if survey(self).slot != "USR-A":
            self.sh("sudo cgpt add -i 3 -P 9 -T 0 -S 1 /dev/vda")
            self.reboot()
        for bits in ("-i 3 -P 1 -T 0 -S 1", "-i 4 -P 0 -T 0 -S 0"):
            self.sh(f"sudo cgpt add {bits} /dev/vda")
        self.sh(f"sudo rm -rf {FOLDER}")


@pytest.fixture(scope="module")
def node(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabRig]:
    name = f"s{os.getpid()}"
    folder: Path = tmp_path_factory.mktemp("slots") / "lab"
    try:
        lab = Lab.up(name, nodes=1, inventory_folder=folder)
        target = Target(
            "n1",
            lab.node("n1").address,
            user="core",
            identity_files=(folder / "id_ed25519",),
            known_hosts=(folder / "known_hosts",),
            become=True,
        )
        yield LabRig(lab, target)
    finally:
        Lab.down(name)


@pytest.fixture
def rig(node: LabRig) -> Iterator[LabRig]:
    yield node
    node.reset()


ENOUGH = {
    "test_a_staged_slot_is_inert",
    "test_activated_it_boots_once_and_falls_back_by_itself",
    "test_back_to_the_previous_version_without_an_image",
    "test_no_step_acts_in_another_boot_or_for_an_older_controller",
}
"""What a booting node has a say in; the rest is the partition table's alone, or of every upgrade in the lab."""


class TestGptprioInTheLab(SlotConformance):
    @pytest.fixture(autouse=True)
    def _enough(self, request: pytest.FixtureRequest) -> None:
        if request.function.__name__ not in ENOUGH and not twice.ALL:
            pytest.skip(twice.reason("tests/upgrade/slots/test_gptprio.py"))


def upgrade_to(rig: LabRig, usr: Path, version: str) -> None:
    """Stage and activate, whatever the image is worth."""
    release, image = pack(usr, version)
    assert run(rig, rig.driver.stage(release, image, guard(rig))) is None
    seen = survey(rig)
    ticket = Ticket(
        run="r1", version=version, sha256=release.sha256, slot=seen.passive, boot_id=seen.boot_id, stage="activated"
    )
    done(rig, rig.driver.activate(ticket, guard(rig)))


def test_the_power_goes_before_it_is_marked_good(rig: LabRig) -> None:
    _, ticket = stage(rig)
    done(rig, rig.driver.activate(ticket, guard(rig)))
    rig.reboot()
    assert (survey(rig).slot, survey(rig).version) == ("USR-B", "1.1.0")
    rig.lab.chaos("n1", "kill")
    rig.lab.chaos("n1", "poweron")
    seen = survey(rig)
    assert (seen.slot, seen.version, seen.next, seen.ticket) == ("USR-A", "1.0.0", "USR-A", ticket)


@pytest.mark.parametrize("image", ["no_sshd", "not_a_fs"])
def test_an_image_that_does_not_come_up_falls_back_by_itself(rig: LabRig, image: str) -> None:
    upgrade_to(rig, getattr(images, image)(), "1.1.0")
    boots = rig.boots
    done(rig, rig.driver.reboot(guard(rig)))
    rig.await_boot(boots + 2)
    seen = survey(rig)
    assert (seen.slot, seen.version, seen.good) == ("USR-A", "1.0.0", True)
    assert seen.ticket is not None


def test_an_image_that_never_answers_waits_for_somebody_to_cut_its_power(rig: LabRig) -> None:
    upgrade_to(rig, images.silent(), "1.1.0")
    boots = rig.boots
    done(rig, rig.driver.reboot(guard(rig)))
    assert wait_until(lambda: rig.lab.status()[0].pid is not None and rig.lab.status()[0].slot == "USR-B", 60)
    assert rig.boots == boots + 1
    rig.lab.chaos("n1", "kill")
    rig.lab.chaos("n1", "poweron")
    assert survey(rig).slot == "USR-A"


def test_an_image_that_lies_about_its_version_is_not_staged(rig: LabRig) -> None:
    release, image = pack(images.wrong_version("9.9.9"), "1.1.0")
    why = run(rig, rig.driver.stage(release, image, guard(rig)))
    assert "it is 9.9.9 inside, the channel says 1.1.0" in (why or "")
    assert survey(rig).staged == ""


def test_a_good_image_of_any_version(rig: LabRig) -> None:
    upgrade_to(rig, images.good("1.2.0"), "1.2.0")
    rig.reboot()
    assert survey(rig).version == "1.2.0"


def test_an_image_in_which_etcd_cannot_start_boots(rig: LabRig) -> None:
    upgrade_to(rig, images.no_etcd(), "1.1.0")
    rig.reboot()
    assert survey(rig).version == "1.1.0"
    assert "/usr/bin/false" in rig.sh("systemctl cat etcd.service || cat /usr/lib/systemd/system/etcd.service.d/*")


def test_a_lost_connection_costs_no_more_than_a_part(rig: LabRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network goes in the second of three parts and comes back; the first part is not sent again."""
    monkeypatch.setattr(staging.parts, "__defaults__", (0, 16 << 20))
    release, image = rig.release("1.1.0")
    cut = threading.Event()
    sent = 0

    def watch(event: Event) -> None:
        nonlocal sent
        if isinstance(event, Progress):
            sent = sent + event.done if event.done == event.total else sent
            if not cut.is_set() and sent and event.done > event.total // 2:
                rig.lab.chaos("n1", "cut")
                cut.set()

    def heal() -> None:
        assert cut.wait(60)
        rig.lab.chaos("n1", "heal")

    healer = threading.Thread(target=heal)
    program = rig.driver.stage(release, image, guard(rig))
    healer.start()
    outcome = rig.drive(program, watch)
    healer.join()
    assert outcome.state == "done", outcome
    assert sent <= release.size + (16 << 20)
    assert survey(rig).staged == release.sha256


def test_after_a_killed_controller_the_next_one_goes_on(rig: LabRig) -> None:
    release, image = rig.release("1.1.0")
    part = next(staging.parts(release))
    act = StageProgram(release, image, Guard(), lambda done, total: None).part(part).act
    assert act is not None
    command = rig.lab.ssh_command("n1", [f"sudo sh -c {q(act)}"])
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process,
        image.open("rb") as file,
    ):
        assert process.stdin is not None
        process.stdin.write(file.read(release.size // 2))
        process.stdin.close()
        assert process.wait(60) != 0
    told: list[int] = []
    again = rig.driver.stage(release, image, guard(rig), lambda done, total: told.append(done))
    assert rig.drive(again).state == "done"
    assert 0 < told[0] < release.size
    assert survey(rig).staged == release.sha256


def test_a_writer_that_hangs_in_a_lost_connection_is_ended(rig: LabRig) -> None:
    release, image = rig.release("1.1.0")
    act = StageProgram(release, image, Guard(), lambda done, total: None).part(next(staging.parts(release))).act
    assert act is not None
    command = rig.lab.ssh_command("n1", [f"sudo timeout 100 sh -c {q(act)}"])
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process,
        image.open("rb") as file,
    ):
        assert process.stdin is not None
        process.stdin.write(file.read(release.size // 2))
        process.stdin.flush()  # and then nothing comes, and nobody hangs up
        noted = f" {staging.batch(release)} ."
        assert wait_until(lambda: noted in rig.sh(f"sudo cat {FOLDER}/staging 2>/dev/null || true"), 120)
        assert rig.drive(rig.driver.stage(release, image, guard(rig))).state == "done"
        assert process.wait(30) != 0
    assert survey(rig).staged == release.sha256


def test_one_flipped_bit_on_the_way_is_found(rig: LabRig, tmp_path: Path) -> None:
    release, image = rig.release("1.1.0")
    content = bytearray(image.read_bytes())
    content[len(content) // 3] ^= 4
    bad = tmp_path / "bad"
    bad.write_bytes(content)
    why = run(rig, rig.driver.stage(release, bad, guard(rig)))
    assert "is not what was sent" in (why or "")
    seen = survey(rig)
    assert (seen.staged, seen.next) == ("", "USR-A")
    assert run(rig, rig.driver.stage(release, image, guard(rig))) is None


def test_a_release_that_is_too_large_is_refused(rig: LabRig) -> None:
    release, image = rig.release("1.1.0")
    large = disk.LAYOUT[3].size * disk.MIB + 1
    frames = -(-large // FRAME)
    release = replace(release, usr_size=large, frames=(*release.frames, *([0] * (frames - len(release.frames)))))
    assert "does not fit" in (run(rig, rig.driver.stage(release, image, guard(rig))) or "")
    assert survey(rig).next == "USR-A"


def test_another_agent_on_the_node_is_named(rig: LabRig) -> None:
    unit = "[Service]\nExecStart=/bin/sleep 1000\n"
    rig.sh(f"printf {unit!r} | sudo tee /etc/systemd/system/locksmithd.service; sudo systemctl start locksmithd")
    try:
        (blocker,) = survey(rig).blockers
        assert "REBOOT_STRATEGY=off" in blocker
        rig.sh("sudo mkdir -p /etc/coreos; echo REBOOT_STRATEGY=off | sudo tee /etc/coreos/update.conf")
        assert survey(rig).blockers == ()
    finally:
        rig.sh("sudo systemctl stop locksmithd; sudo rm -rf /etc/coreos /etc/systemd/system/locksmithd.service")
        rig.sh("sudo systemctl daemon-reload")
