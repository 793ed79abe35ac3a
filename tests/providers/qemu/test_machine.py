"""One machine of real QEMU: on, off, broken, and found again whoever died meanwhile."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from coreops.errors import CoreopsError, InputError
from coreops.providers.namespace.host import wait_until
from coreops.providers.qemu import machine, process, qmp, supervisor
from coreops.providers.qemu.accel import TCG
from coreops.providers.qemu.argv import Nic, Vm
from tests.providers.qemu import tiny
from tests.providers.qemu.conftest import needs_qemu

pytestmark = [needs_qemu, pytest.mark.slow]
Make = Callable[..., Vm]


def test_a_machine_is_switched_on_once(vm: Make) -> None:
    one = vm()
    assert machine.state(one.folder) == "off"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: machine.start(one, TCG), range(4)))
    pid = machine.pid(one.folder)
    assert pid is not None
    assert _machines_in(one.folder) == [pid]
    assert machine.state(one.folder) == "running"
    assert wait_until(lambda: tiny.WORD.decode().strip() in machine.tail(one.folder), 20.0)


def test_frozen_thawed_reset_and_killed(vm: Make) -> None:
    one = vm()
    machine.start(one, TCG)
    machine.freeze(one.folder)
    assert machine.state(one.folder) == "frozen"
    machine.thaw(one.folder)
    assert machine.state(one.folder) == "running"
    assert wait_until(lambda: tiny.WORD.decode().strip() in machine.tail(one.folder), 20.0)
    machine.reset(one.folder)
    assert wait_until(lambda: machine.tail(one.folder).count(tiny.WORD.decode().strip()) == 2, 20.0)
    machine.freeze(one.folder)
    assert machine.state(one.folder) == "frozen"
    machine.reset(one.folder)
    machine.freeze(one.folder)
    assert machine.state(one.folder) == "frozen", "also one that is just starting"
    machine.reset(one.folder)
    machine.thaw(one.folder)
    assert not machine.powerdown(one.folder, 0.1), "it does not know the button"
    machine.kill(one.folder)
    assert machine.state(one.folder) == "off"
    machine.kill(one.folder)
    assert machine.powerdown(one.folder, 0.1), "off is off"
    for action in (machine.reset, machine.freeze, machine.thaw):
        with pytest.raises(InputError, match="not running"):
            action(one.folder)


def test_a_machine_whose_process_was_killed_is_dead_and_starts_again(vm: Make) -> None:
    one = vm()
    machine.start(one, TCG)
    pid = machine.pid(one.folder)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert process.wait_end(one.folder, 10)
    assert machine.state(one.folder) == "dead"
    assert wait_until(lambda: _qemus_in(one.folder) == [], 60), "QEMU ends with its supervisor"
    machine.start(one, TCG)
    assert machine.state(one.folder) == "running"


def test_a_machine_that_resets_itself_is_started_anew_by_the_same_process(vm: Make) -> None:
    one = vm()
    tiny.install(one.folder, ends=tiny.RESETS)
    machine.start(one, TCG)
    pid, began = machine.pid(one.folder), time.monotonic()
    assert wait_until(lambda: machine.tail(one.folder).count(tiny.WORD.decode().strip()) >= 3, 60.0)
    assert time.monotonic() - began >= supervisor.PACE, "a loop is slow"
    assert (machine.pid(one.folder), machine.state(one.folder)) == (pid, "running")
    assert len(_qemus_in(one.folder)) <= 1
    machine.kill(one.folder)
    assert _qemus_in(one.folder) == _machines_in(one.folder) == []
    assert machine.state(one.folder) == "off"
    assert not (one.folder / "pid").exists()


@pytest.mark.parametrize("after", [0.0, 0.05, 0.3, 1.0, 1.1])
def test_power_that_is_cut_stays_cut_wherever_the_guest_is(vm: Make, after: float) -> None:
    one = vm()
    tiny.install(one.folder, ends=tiny.RESETS)
    machine.start(one, TCG)
    time.sleep(after)
    machine.kill(one.folder)
    assert machine.state(one.folder) == "off"
    assert _qemus_in(one.folder) == _machines_in(one.folder) == []
    said = machine.tail(one.folder)
    assert not wait_until(lambda: machine.tail(one.folder) != said, supervisor.PACE + 0.5)


def test_a_machine_that_switches_itself_off_is_off(vm: Make) -> None:
    one = vm()
    machine.start(one, TCG)
    qmp.ask(one.folder, "quit")
    assert process.wait_end(one.folder, 60)
    assert (machine.state(one.folder), _qemus_in(one.folder)) == ("off", [])
    machine.start(one, TCG)
    pid = machine.pid(one.folder)
    assert pid is not None
    os.kill(pid, signal.SIGTERM)
    assert process.wait_end(one.folder, 60)
    assert (machine.state(one.folder), _qemus_in(one.folder)) == ("off", [])


def test_a_qemu_that_is_killed_is_not_started_again_and_the_console_says_so(vm: Make) -> None:
    one = vm()
    machine.start(one, TCG)
    (pid,) = _qemus_in(one.folder)
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: machine.state(one.folder) == "dead", 60)
    assert "the machine ended: QEMU ended with status -9" in machine.tail(one.folder)


def test_an_emulator_that_outlives_its_supervisor_is_waited_for(vm: Make) -> None:
    """Killed, it may be in the kernel for a while; then its disk is not free yet."""
    one = vm()
    machine.start(one, TCG)
    machine.kill(one.folder)
    with subprocess.Popen(["sleep", "1"], pass_fds=[file := os.open(one.folder / "pid", os.O_CREAT | os.O_RDWR)]):
        fcntl.flock(file, fcntl.LOCK_EX)
        os.close(file)
        assert machine.state(one.folder) == "dead"
        machine.start(one, TCG)
        assert machine.state(one.folder) == "running"


def test_a_number_that_another_process_has_got_is_never_killed(vm: Make) -> None:
    one = vm()
    with subprocess.Popen(["sleep", "1000"]) as other:
        (one.folder / "pid").write_text(f"{other.pid}\n")
        assert machine.state(one.folder) == "dead"
        machine.kill(one.folder)
        assert other.poll() is None
        other.kill()


def test_a_killed_caller_leaves_a_machine_that_is_found(vm: Make, tmp_path: Path) -> None:
    """Killed at any moment of the start: either nothing runs, or what runs is known, and the next start is the same."""
    one = vm()
    script = textwrap.dedent(f"""
        from pathlib import Path
        from coreops.providers.qemu import machine
        from coreops.providers.qemu.argv import *
        folder = Path({str(one.folder)!r})
        vm = Vm("one", folder, folder / "disk.img", Uefi(folder / "code.fd", folder / "variables.fd"), memory=128)
        print("ready", flush=True)
        machine.start(vm, {TCG!r})
        print("done", flush=True)
    """)
    for after in (0.0, 0.02, 0.05, 0.1):
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as caller:
            assert caller.stdout is not None
            assert caller.stdout.readline() == "ready\n"
            wait_until(lambda after=after: False, after, 0.01)  # type: ignore[misc]
            caller.kill()
        machine.start(one, TCG)
        pid = machine.pid(one.folder)
        assert pid is not None
        assert wait_until(lambda pid=pid: _machines_in(one.folder) == [pid], 60.0)  # type: ignore[misc]
        machine.kill(one.folder)
        assert _machines_in(one.folder) == []


def test_what_qemu_says_is_told(vm: Make) -> None:
    one = vm()
    with pytest.raises(CoreopsError) as caught:
        machine.start(replace(one, disk=one.folder / "none.img"), TCG)
    assert "No such file" in (caught.value.why or "")
    with pytest.raises(CoreopsError, match="could not start") as caught:
        machine.start(replace(one, nic=Nic("no-such-namespace", "t0", "52:54:00:00:00:01")), TCG)
    assert "no-such-namespace" in (caught.value.why or "")
    assert machine.state(one.folder) == "off"


def test_it_is_of_the_groups_that_it_is_told_before_there_is_a_machine(vm: Make) -> None:
    one = vm()
    with pytest.raises(CoreopsError) as caught:
        machine.start(one, TCG, groups=[one.folder / "no such group" / "cgroup.procs"])
    assert "No such file" in (caught.value.why or "")
    assert machine.state(one.folder) == "off"
    assert wait_until(lambda: _machines_in(one.folder) == [], 60), "it ends a moment after it has told why"
    machine.start(one, TCG, groups=[one.folder / "procs", one.folder / "more procs"])
    assert [(one.folder / name).read_text() for name in ("procs", "more procs")] == ["0", "0"], "itself"


def test_a_disk_has_one_machine(vm: Make) -> None:
    one, two = vm("one"), vm("two")
    machine.start(one, TCG)
    with pytest.raises(CoreopsError) as caught:
        machine.start(replace(two, disk=one.disk), TCG)
    assert "lock" in (caught.value.why or "")
    assert "lsof" in (caught.value.next or "")


def test_the_monitor_refuses_and_is_missed(vm: Make) -> None:
    one = vm()
    with pytest.raises(ConnectionError):
        qmp.ask(one.folder, "query-status")
    machine.start(one, TCG)
    with pytest.raises(CoreopsError, match="refused 'no-such-command'"):
        qmp.ask(one.folder, "no-such-command")
    (pid,) = _qemus_in(one.folder)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(CoreopsError, match="did not answer"):
        qmp.ask(one.folder, "query-status", timeout=0.2)
    machine.kill(one.folder)
    assert machine.state(one.folder) == "off"


def _machines_in(folder: Path) -> list[int]:
    """The processes that run with the folder's pid file, asked of the kernel."""
    found = []
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = cmdline.read_bytes().split(b"\0")
        except OSError:
            continue
        if str(folder / "pid").encode() in words:
            found.append(int(cmdline.parent.name))
    return found


def _qemus_in(folder: Path) -> list[int]:
    """QEMU's processes that work in the folder."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if (each / "cwd").readlink() == folder and (each / "exe").readlink().name.startswith("qemu-system"):
                found.append(int(each.name))
        except OSError:
            continue
    return found
