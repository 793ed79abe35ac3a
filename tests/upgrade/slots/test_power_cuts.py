"""The power goes in the middle of every step, before each call that writes: what is left boots, and a second try ends
where an undisturbed one does.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from coreops.model import ShellStep
from coreops.upgrade.guard import Guard
from coreops.upgrade.observation import Ticket
from coreops.upgrade.slots import staging
from coreops.upgrade.slots.stream import StageProgram
from tests.upgrade.slots.conformance import done, run, stage
from tests.upgrade.slots.machine import Machine, pack
from tests.upgrade.slots.test_gptprio import MACHINES, MachineRig

pytestmark = pytest.mark.slow

WRITERS = ("sgdisk", "sfdisk", "cgpt", "dd", "sync", "mv", "rm")
# Counts calls that write; at the chosen one the whole process group dies, as in a power cut. Two calls at the same
# moment may count as one.
_FUSE = """\
case "{name} $*" in
  sgdisk*-A* | sfdisk*--part-attrs* | cgpt*add* | dd*of=* | sync* | mv* | rm*) ;;
  *) exec {real} "$@" ;;
esac
n=''
read -r n </shims/fuse && n=$((n - 1)) && echo "$n" >/shims/fuse
[ "$n" != 0 ] || kill -KILL 0
exec {real} "$@"
"""


def wire(machine: Machine) -> None:
    for name in WRITERS:
        if real := shutil.which(name):
            machine.shim(name, _FUSE.format(name=name, real=real))
    fuse(machine, 0)


def fuse(machine: Machine, calls: int) -> None:
    """The power goes at that many writing calls from now; 0: never."""
    (machine.state / "shims/fuse").write_text(f"{calls}\n")


class Before:
    """How the machine was; it can be put back."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._arrangement = machine.arrangement()
        self._lib = Path(tempfile.mkdtemp(dir=machine.folder))
        shutil.copytree(machine.state / "lib", self._lib, dirs_exist_ok=True)

    def restore(self) -> None:
        self._machine.arrange(self._arrangement)
        for child in (self._machine.state / "lib").iterdir():
            shutil.rmtree(child)
        shutil.copytree(self._lib, self._machine.state / "lib", dirs_exist_ok=True)


def left(machine: Machine) -> object:
    """What a step leaves: bits and notes."""
    folder = machine.state / "lib/upgrade"
    notes = {name: (folder / name).read_text() for name in ("ticket", "staged", "staging") if (folder / name).exists()}
    return machine.bits(), notes


def cut_everywhere(rig: MachineRig, step: ShellStep, boots: set[str]) -> int:
    """Run ``step`` with the power going at its first, second, ... call. Returns how many there were."""
    machine = rig.machine
    before = Before(machine)
    done(rig, step)
    wanted = left(machine)
    calls = 0
    while True:
        before.restore()
        calls += 1
        fuse(machine, calls)
        record = rig.step(step)
        fuse(machine, 0)
        assert machine.next_after_power_cut() in boots, f"after {calls} calls: {machine.bits()}"
        assert machine.next() in boots, f"after {calls} calls: {machine.bits()}"
        if record.state != "failed":
            assert left(machine) == wanted
            assert machine.next_after_power_cut() == machine.next()
            return calls - 1
        done(rig, step)
        assert left(machine) == wanted, f"after {calls} calls"


@pytest.mark.parametrize("machine", MACHINES)
def test_in_the_middle_of_a_turn(machines: Callable[..., Machine], machine: tuple[str, str]) -> None:
    tool, shell = machine
    rig = MachineRig(machines(tool=tool, shell=shell))
    _, ticket = stage(rig)
    wire(rig.machine)
    driver = rig.driver
    assert cut_everywhere(rig, driver.activate(ticket, Guard()), {"USR-A", "USR-B"}) >= 4
    assert cut_everywhere(rig, driver.revert(Guard()), {"USR-A", "USR-B"}) >= 3
    done(rig, driver.activate(ticket, Guard()))
    rig.reboot()
    assert cut_everywhere(rig, driver.mark_good(Guard()), {"USR-A", "USR-B"}) >= 4
    assert cut_everywhere(rig, driver.roll_back(Guard()), {"USR-A", "USR-B"}) >= 6


@pytest.mark.lab
@pytest.mark.parametrize(("old", "new"), [(15, 0), (14, 15), (15, 15)])
def test_at_the_top_of_the_priorities(machines: Callable[..., Machine], old: int, new: int) -> None:
    rig = MachineRig(machines())
    machine = rig.machine
    _, ticket = stage(rig)
    machine.set_bits(3, old, 0, 1)
    machine.set_bits(4, new, 0, 0)
    wire(machine)
    cut_everywhere(rig, rig.driver.activate(ticket, Guard()), {"USR-A", "USR-B"})
    assert machine.next() == "USR-B"
    rig.reboot()
    cut_everywhere(rig, rig.driver.mark_good(Guard()), {"USR-A", "USR-B"})
    assert machine.next() == "USR-B"
    machine.set_bits(3, 1, 0, 1)
    machine.set_bits(4, 15, 0, 1)
    cut_everywhere(rig, rig.driver.roll_back(Guard()), {"USR-A", "USR-B"})
    assert (machine.next(), machine.bits()[1]) == ("USR-A", (0, 0, 0))


@pytest.mark.parametrize("codec", ["none", pytest.param("gzip", marks=pytest.mark.lab)])
def test_while_an_image_is_written(
    machines: Callable[..., Machine], codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "SMALLEST_NOTE", 4 * 64 * 1024)
    monkeypatch.setattr(staging, "LARGEST_NOTE", 4 * 64 * 1024)
    monkeypatch.setattr(staging.parts, "__defaults__", (0, 5 * 64 * 1024, None))
    rig = MachineRig(machines())
    machine = rig.machine
    usr = machine.usr("1.1.0")
    release, image = pack(machine.folder, "1.1.0", usr, codec)  # type: ignore[arg-type]
    wire(machine)
    calls, resumed = 0, 0
    while True:
        calls += 3  # a prime step would meet all of them in the end; the order of a transfer's calls repeats
        fuse(machine, calls)
        failed = run(rig, rig.driver.stage(release, image, Guard()))
        fuse(machine, 0)
        assert machine.next() == "USR-A"
        assert machine.boot() == "USR-A"
        told: list[tuple[int, int]] = []
        program = StageProgram(release, image, Guard(), lambda *each, told=told: told.append(each))
        assert run(rig, program) is None
        resumed += told[0][0] > 0
        assert machine.content(4).is_file(usr)
        assert machine.bits()[1] == (0, 0, 0)
        if failed is None:
            break
        shutil.rmtree(machine.state / "lib/upgrade")
        machine.content(4).write(machine.image.with_name("usr-1.0.0.squashfs"))
    assert resumed


def test_a_ticket_that_was_cut_off_is_not_there(machines: Callable[..., Machine]) -> None:
    """The old ticket or the new one: never half of one."""
    rig = MachineRig(machines())
    _, ticket = stage(rig)
    wire(rig.machine)
    done(rig, rig.driver.activate(ticket, Guard()))
    newer = Ticket(**{name: getattr(ticket, name) for name in Ticket.__dataclass_fields__} | {"run": "r2"})
    fuse(rig.machine, 1)
    assert rig.step(rig.driver.activate(newer, Guard())).state == "failed"
    fuse(rig.machine, 0)
    assert rig.driver.read(rig.step(rig.driver.survey())).ticket == ticket
