from __future__ import annotations

import json
import stat

import pytest

from coreops.engine.engine import Engine
from coreops.engine.journal import Journal, RunInfo
from coreops.engine.steps import StepsProgram
from coreops.errors import InputError
from coreops.model import ShellStep, Target
from tests.support.shells import ShellTransport

INFO = RunInfo("run", {"playbook": "p.yml"}, "abc")


def run(journal, steps, fail_at=None):
    transport = ShellTransport()
    program = StepsProgram(steps)
    try:
        with Engine({"h": Target("h", "h")}, journal, run=journal.id, transport=transport, journal=journal) as engine:
            return program, engine.drive({"h": program})["h"]
    finally:
        transport.close()


def test_resume_goes_on_where_the_run_failed(tmp_path):
    steps = [
        ShellStep(id="1", title="a", act=f"echo a >> {tmp_path}/log; printf '\\377 data'"),
        ShellStep(id="2", title="b", act=f"echo b >> {tmp_path}/log; test -e {tmp_path}/ready"),
        ShellStep(id="3", title="c", act=f"echo c >> {tmp_path}/log"),
    ]
    journal = Journal.start(INFO, tmp_path / "runs")
    assert run(journal, steps)[1].state == "failed"
    journal.close()
    (tmp_path / "ready").touch()
    journal, info = Journal.resume("last", "run", tmp_path / "runs")
    assert info == INFO
    program, outcome = run(journal, steps)
    journal.close()
    assert outcome.state == "done"
    assert (tmp_path / "log").read_text() == "a\nb\nb\nc\n"
    assert program.records["1"].stdout == b"\xff data"


def test_resume_survives_a_line_cut_off_by_a_kill(tmp_path):
    journal = Journal.start(INFO, tmp_path)
    journal.close()
    path = journal.path / "journal.jsonl"
    path.write_bytes(path.read_bytes() + b'{"host": "h", "rec')
    again, info = Journal.resume(journal.id.rpartition("-")[2], "run", tmp_path)
    again.close()
    assert info == INFO


def test_secret_output_is_never_written(tmp_path):
    journal = Journal.start(INFO, tmp_path)
    run(journal, [ShellStep(id="1", title="t", act="echo hunter2", secret=True)])
    journal.close()
    text = (journal.path / "journal.jsonl").read_text()
    assert "hunter2" not in text
    assert '"secret": true' in text
    assert [json.loads(line)["time"] for line in text.splitlines()]
    assert stat.S_IMODE((journal.path / "journal.jsonl").stat().st_mode) == 0o600


def test_unknown_run(tmp_path):
    with pytest.raises(InputError, match="no run 'x'"):
        Journal.resume("x", "run", tmp_path)


def test_only_runs_of_the_same_command_are_resumed(tmp_path):
    first = Journal.start(INFO, tmp_path)
    other = Journal.start(RunInfo("exec", {}, ""), tmp_path)
    again, _ = Journal.resume("last", "run", tmp_path)
    assert again.id == first.id
    for journal in (first, other, again):
        journal.close()
