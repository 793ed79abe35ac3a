"""One host: lost connections, nothing acted twice, stopping, killing, rebooting."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from coreops.engine import patience
from coreops.engine.engine import Engine
from coreops.engine.steps import StepsProgram
from coreops.events import SegmentSent, StepStarted
from coreops.model import Blob, FileStep, ShellStep, Target
from tests.support.shells import ShellTransport, new_run, run_steps


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(patience, "pause", lambda seconds: time.sleep(0.01))


def until(condition, seconds=120.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "condition did not come true in time"
        time.sleep(0.01)


def log_step(folder: Path, id: str, **fields) -> ShellStep:
    return ShellStep(id=id, title=id, act=f"echo {id} >> {folder}/log; echo out {id}", once=True, **fields)


@pytest.mark.parametrize("marker", [b" b 2 a", b" e 2 a", b" r 2 ", b" r 1 ", b" z "])
def test_a_step_whose_record_was_lost_does_not_act_twice(marker, tmp_path):
    steps = [
        log_step(tmp_path, "s1"),
        log_step(tmp_path, "s2"),
        FileStep(id="f", title="f", path=f"{tmp_path}/f", kind="file", content=Blob.of(b"x")),
        log_step(tmp_path, "s3"),
    ]
    program, outcome = run_steps(steps, cuts=[marker])
    assert outcome.state == "done"
    assert (tmp_path / "log").read_text() == "s1\ns2\ns3\n"
    assert [program.records[f"s{n}"].stdout for n in (1, 2, 3)] == [b"out s1\n", b"out s2\n", b"out s3\n"]


def test_a_step_still_running_after_the_connection_was_lost_is_awaited(tmp_path):
    step = ShellStep(id="s1", title="slow", act=f"sleep 1; echo done >> {tmp_path}/log; cat {tmp_path}/log", once=True)
    program, outcome = run_steps([step], cuts=[b" b 1 a"])
    assert outcome.state == "done"
    assert program.records["s1"].stdout == b"done\n"


def test_a_step_cut_off_on_the_node_is_unknown_and_not_repeated(tmp_path):
    # The loader dies with its step: kill the step's parent (timeout) and grandparent (the loader).
    act = f"echo begun >> {tmp_path}/log; read -r _ _ _ p _ </proc/$PPID/stat; kill -9 $p $PPID; exit 0"
    program, outcome = run_steps([ShellStep(id="s1", title="cut off", act=act, once=True)])
    assert program.records["s1"].state == "unknown"
    assert outcome.state == "failed"
    assert (tmp_path / "log").read_text() == "begun\n"


def test_a_shell_that_never_says_a_word_gets_a_second_chance_but_no_third():
    class Refusing(ShellTransport):
        def open(self, target, command):
            return super().open(target, command.replace("co_header", "co_header; exit 7;", 1))

    transport = Refusing()
    with Engine({"h": Target("h", "h")}, lambda event: None, run=new_run(), transport=transport) as engine:
        outcome = engine.drive({"h": StepsProgram([ShellStep(id="1", title="t", act="true")])})["h"]
    transport.close()
    assert outcome.state == "unreachable"
    assert len(transport.connections) == 2


def drive_in_thread(steps, events):
    transport = ShellTransport()
    engine = Engine({"h": Target("h", "h")}, events.append, run=new_run(), transport=transport)
    program = StepsProgram(steps)
    outcomes = {}
    thread = threading.Thread(target=lambda: outcomes.update(engine.drive({"h": program})))
    thread.start()
    return engine, transport, program, outcomes, thread


def test_stop_finishes_the_current_step_and_says_what_was_done(tmp_path):
    events: list = []
    steps = [
        ShellStep(
            id="1", title="first", act=f"touch {tmp_path}/go; while [ ! -e {tmp_path}/end ]; do sleep 0.05; done"
        ),
        ShellStep(id="2", title="second", act=f"touch {tmp_path}/second"),
    ]
    engine, transport, program, outcomes, thread = drive_in_thread(steps, events)
    until((tmp_path / "go").exists)
    engine.stop()
    (tmp_path / "end").touch()
    thread.join(120)
    engine.close()
    transport.close()
    assert outcomes["h"].state == "interrupted"
    assert "second" in str(outcomes["h"].error)
    assert [record.state for record in program.records.values()] == ["changed"]
    assert not (tmp_path / "second").exists()


def test_abort_kills_what_runs_on_the_node(tmp_path):
    events: list = []
    steps = [
        ShellStep(id="1", title="t", act=f"echo $$ > {tmp_path}/pid~; mv {tmp_path}/pid~ {tmp_path}/pid; sleep 300")
    ]
    engine, transport, _, outcomes, thread = drive_in_thread(steps, events)
    until((tmp_path / "pid").exists)
    pid = int((tmp_path / "pid").read_text())
    engine.stop()
    engine.abort()
    thread.join(120)
    engine.close()
    transport.close()
    assert outcomes["h"].state == "interrupted"
    until(lambda: not Path(f"/proc/{pid}").exists() or "State:\tZ" in Path(f"/proc/{pid}/status").read_text())


def test_one_exchange_for_many_steps_and_no_content_when_nothing_changes(tmp_path):
    steps = [
        FileStep(id=str(n), title="t", path=f"{tmp_path}/f{n}", kind="file", content=Blob.of(b"%d" % n * 1000))
        for n in range(50)
    ]
    events: list = []
    run_steps(steps, emit=events.append)
    run_steps(steps, emit=events.append)
    assert sum(isinstance(event, SegmentSent) for event in events) == 2


def test_full_disk_is_said_and_leaves_nothing(tmp_path):
    import subprocess

    mount = tmp_path / "small"
    mount.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", mount], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("cannot mount a tmpfs here (not root)")
    try:
        steps = [
            FileStep(id="1", title="small", path=f"{mount}/a", kind="file", content=Blob.of(b"a")),
            FileStep(id="2", title="large", path=f"{mount}/b", kind="file", content=Blob.of(b"b" * 1_000_000)),
            FileStep(id="3", title="after", path=f"{mount}/c", kind="file", content=Blob.of(b"c")),
        ]
        program, outcome = run_steps(steps)
        assert [record.state for record in program.records.values()] == ["changed", "failed"]
        assert "cannot write 1000000 bytes" in str(outcome.error)
        assert [path.name for path in mount.iterdir()] == ["a"]
    finally:
        subprocess.run(["umount", mount], check=True)


def test_started_steps_are_announced_while_they_run():
    events: list = []
    run_steps([ShellStep(id="1", title="look", act="true")], emit=events.append)
    assert [event.title for event in events if isinstance(event, StepStarted)] == ["look"]


@pytest.mark.parametrize("become", [False, True])
def test_under_sudo_the_command_line_stays_short_because_sudo_logs_it(become, tmp_path):
    commands = []

    class Recording(ShellTransport):
        def open(self, target, command):
            commands.append(command)
            return super().open(target, command)

    steps = [
        ShellStep(id="s", title="s", act="id -u"),
        FileStep(id="f", title="f", path=f"{tmp_path}/f", kind="file", content=Blob.of(b"x")),
    ]
    transport, target = Recording(), Target("h", "h", become=become)
    with Engine({"h": target}, lambda event: None, run=new_run(), transport=transport) as engine:
        for state in ("changed", "ok"):
            program = StepsProgram(steps)
            assert engine.drive({"h": program})["h"].state == "done"
            assert program.records["f"].state == state
    transport.close()
    assert len(commands) == 1
    assert ("co_phase()" in commands[0]) is not become
    assert len(commands[0]) < (2000 if become else 8000)
