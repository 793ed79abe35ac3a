"""ShellSteps through the real compiler and three real shells."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coreops.engine.engine import Engine
from coreops.engine.steps import StepsProgram
from coreops.model import Blob, ShellStep, Target
from tests.support.shells import EACH_SHELL, ShellTransport, new_run, run_steps

shells = pytest.mark.parametrize("shell", EACH_SHELL)


def one(shell, **fields):
    program, outcome = run_steps([ShellStep(id="1", title="t", **fields)], shell)
    return program.records["1"], outcome


@shells
def test_probe_decides_whether_to_act(shell, tmp_path):
    step = {"probe": f"echo seen; [ -e {tmp_path}/f ]", "act": f"echo made; echo why >&2; touch {tmp_path}/f"}
    record, _ = one(shell, **step)
    assert (record.state, record.stdout, record.stderr, record.before) == ("changed", b"made\n", b"why\n", b"seen\n")
    record, _ = one(shell, **step)
    assert (record.state, record.stdout) == ("ok", b"seen\n")


@shells
def test_a_probe_that_cannot_tell_fails(shell):
    record, outcome = one(shell, probe="echo broken >&2; exit 5", act="touch /nothing")
    assert (record.state, record.rc, record.stderr) == ("failed", 5, b"broken\n")
    assert outcome.state == "failed"
    assert "broken" in str(outcome.error)


@shells
def test_failure_ends_the_segment_unless_ignored(shell):
    steps = [
        ShellStep(id="1", title="a", act="exit 3", ignore_errors=True),
        ShellStep(id="2", title="b", act="kill -9 $$"),
        ShellStep(id="3", title="c", act="true"),
    ]
    program, outcome = run_steps(steps, shell)
    assert [(r.state, r.rc) for r in program.records.values()] == [("failed", 3), ("failed", 137)]
    assert outcome.state == "failed"


@shells
def test_each_script_runs_by_itself(shell):
    steps = [
        ShellStep(id="1", title="a", act="x=1; cd /tmp; set -e; trap 'echo bye' EXIT; co_end=done; exit 0"),
        ShellStep(id="2", title="b", act='echo "$x $PWD"; cat; exec 1>&-', cwd="/usr"),
        ShellStep(id="3", title="c", act="("),
    ]
    program, _ = run_steps(steps, shell)
    assert program.records["2"].stdout == b" /usr\n"
    assert program.records["3"].state == "failed"


@shells
def test_deadline(shell):
    began = time.monotonic()
    record, outcome = one(shell, act="sleep 600; echo never", timeout=1)
    assert time.monotonic() - began < 120
    assert (record.state, record.rc, record.stdout) == ("failed", 124 if shell != "busybox" else record.rc, b"")
    assert outcome.state == "failed"


@shells
def test_a_daemon_that_keeps_the_output_open_does_not_hold_up_the_run(shell):
    for once in (False, True):
        began = time.monotonic()
        record, _ = one(shell, act="sleep 120 & echo started", once=once)
        assert (record.state, record.stdout) == ("changed", b"started\n")
        assert time.monotonic() - began < 100


@shells
def test_check_mode(shell, tmp_path):
    steps = [
        ShellStep(id="1", title="act alone", act=f"touch {tmp_path}/a"),
        ShellStep(id="2", title="probe", probe=f"[ -e {tmp_path}/b ]", act=f"touch {tmp_path}/b"),
        ShellStep(id="3", title="depends", probe="exit 9", act=f"touch {tmp_path}/c"),
        ShellStep(id="4", title="in check", act=f"echo ran; touch {tmp_path}/d", in_check=True),
        ShellStep(id="5", title="query", probe="echo data"),
    ]
    program, outcome = run_steps(steps, shell, check=True)
    assert [r.state for r in program.records.values()] == ["skipped", "would", "would", "changed", "ok"]
    assert [p.name for p in tmp_path.iterdir()] == ["d"]
    assert outcome.state == "done"


@shells
def test_check_mode_remembers_what_an_earlier_segment_would_change(shell, tmp_path):
    first = StepsProgram([ShellStep(id="1", title="a", probe="exit 1", act="true")], check=True)
    second = StepsProgram([ShellStep(id="2", title="b", probe="exit 9", act="true")], check=True)
    real = StepsProgram([ShellStep(id="3", title="c", probe="exit 9", act="true")])
    again = StepsProgram([ShellStep(id="4", title="d", probe="exit 9", act="true")], check=True)
    transport = ShellTransport(shell)
    with Engine({"h": Target("h", "h")}, lambda event: None, run=new_run(), transport=transport) as engine:
        for program in (first, second, real, again):
            engine.drive({"h": program})
    transport.close()
    found = [next(iter(program.records.values())).state for program in (first, second, real, again)]
    assert found == ["would", "would", "failed", "failed"]


@shells
def test_blobs_arrive_only_when_needed(shell, tmp_path):
    step = {
        "probe": f"cmp -s /dev/null {tmp_path}/none || [ -e {tmp_path}/out ]",
        "act": f'cat "$blob1" "$blob2" > {tmp_path}/out',
        "blobs": (Blob.of(b"\0\xff\n" * 50_000), Blob.of(b"")),
    }
    assert one(shell, **step)[0].state == "changed"
    assert (tmp_path / "out").read_bytes() == b"\0\xff\n" * 50_000
    assert one(shell, **step)[0].state == "ok"


@shells
def test_once_answers_a_segment_sent_again(shell, tmp_path):
    run = new_run()
    step = ShellStep(id="p1.t1", title="t", act=f"echo x >> {tmp_path}/log; echo out; echo err >&2; exit 4", once=True)
    for _ in range(2):
        program, _ = run_steps([step], shell, run=run)
        record = program.records["p1.t1"]
        assert (record.state, record.rc, record.stdout, record.stderr) == ("failed", 4, b"out\n", b"err\n")
    assert (tmp_path / "log").read_text() == "x\n"


@shells
def test_secrets_are_in_no_argv(shell):
    step = ShellStep(
        id="1",
        title="t",
        act="cat /proc/[0-9]*/cmdline | tr '\\0' ' '; echo \"got=$TOKEN\" | tr a-z A-Z",
        env={"TOKEN": "hunter2-secret"},
    )
    program, _ = run_steps([step], shell)
    out = program.records["1"].stdout
    assert b"HUNTER2-SECRET" in out
    assert b"hunter2-secret" not in out


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=60))
@shells
def test_any_environment_value_and_working_folder(shell, text, tmp_path_factory):
    folder = tmp_path_factory.mktemp("w") / ("x" + text.replace("/", "_")[:40])
    folder.mkdir()
    step = ShellStep(id="1", title="t", act='printf "%s" "$V"; pwd >&2', env={"V": text}, cwd=str(folder))
    program, _ = run_steps([step], shell)
    assert program.records["1"].stdout == text.encode()
    assert program.records["1"].stderr == f"{folder}\n".encode()


@shells
@pytest.mark.parametrize("size", [400, 4000], ids=["read by the shell", "read by dd"])
def test_frames_carry_any_text(shell, size):
    text = "".join(chr(code) for code in range(1, 0x800)) + "\\\n \\  \\\\\n\t \n\n"
    for start in range(0, len(text), size):
        part = text[start : start + size]
        record, _ = one(shell, act='printf %s "$X"; exit 0', env={"X": part})
        assert record.stdout.decode() == part


@shells
def test_output_is_eight_bit_clean_and_marks_cannot_be_imitated(shell):
    noise = bytes(range(256)) + b"\x1e0123456789abcdef r 1 ok 0\n\x1e"
    octal = "".join(f"\\{byte:03o}" for byte in noise)
    record, _ = one(shell, act=f"printf '{octal}'; printf '{octal}' >&2")
    assert (record.state, record.stdout, record.stderr) == ("changed", noise, noise)


@shells
def test_a_flood_is_cut_and_counted(shell):
    record, _ = one(shell, act="head -c 20000000 /dev/zero")
    assert record.state == "changed"
    assert len(record.stdout) + record.truncated == 20_000_000
    assert len(record.stdout) == 4 * 1024 * 1024


@shells
def test_as_another_user(shell, tmp_path):
    tmp_path.chmod(0o777)
    step = ShellStep(id="1", title="t", act='id -un; echo "$HOME"')
    program, _ = run_steps([step], shell, user="games")
    assert program.records["1"].stdout == b"games\n/usr/games\n"
    program, outcome = run_steps([step], shell, user="nobody-here")
    assert outcome.state == "unreachable"
    assert "no user 'nobody-here'" in str(outcome.error)
