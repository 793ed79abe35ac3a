"""What a rollout leaves behind, and how others tell whether it lives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.upgrade.planning.request import Request
from coreops.upgrade.running.runs import LOG, Log, Run, all_runs, find


def start(root: Path, name: str) -> Log:
    (root / name).mkdir(parents=True)
    return Log(root / name)


def test_a_run_lives_as_long_as_its_log_is_open(tmp_path: Path) -> None:
    log = start(tmp_path, "r1")
    assert Run(tmp_path / "r1").alive
    log.close()
    assert not Run(tmp_path / "r1").alive
    assert not Run(tmp_path / "nothing").alive


def test_a_killed_process_lives_no_more(tmp_path: Path) -> None:
    (tmp_path / "r1").mkdir()
    code = (
        f"from coreops.upgrade.running.runs import Log; from pathlib import Path; l=Log(Path({str(tmp_path / 'r1')!r}))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code + "; print('up', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        assert Run(tmp_path / "r1").alive
        child.kill()
        child.wait()
    assert not Run(tmp_path / "r1").alive


def test_a_line_that_a_kill_cut_short_is_left_out(tmp_path: Path) -> None:
    log = start(tmp_path, "r1")
    asked = Request(inventory="inv", flags={"soak": "3"}, zones=("z1",), takes_over=("r0",))
    log.write({"request": asked.written()}, {"plan": {"hosts": frozenset({"b", "a"})}}, sync=True)
    log.close()
    with (tmp_path / "r1" / LOG).open("a") as stream:
        stream.write('{"do": {"no')
    run = Run(tmp_path / "r1")
    assert [set(entry) - {"time"} for entry in run.lines()] == [{"request"}, {"plan"}]
    again = Request.read(run.request)
    assert (again.flags, again.zones, again.takes_over) == ({"soak": "3"}, ("z1",), ("r0",))
    assert again.inventory == str(Path("inv").resolve())


def test_no_secret_is_written_down() -> None:
    written = Request(inventory="inv", connection={"user": "core", "become_password": "hunter2"}).written()
    assert "hunter2" not in json.dumps(written)
    assert written["connection"] == {"user": "core"}


def test_runs_are_found_by_their_end_and_the_newest_by_default(tmp_path: Path) -> None:
    for name in ("20260101-aaaa", "20260102-bbbb"):
        start(tmp_path, name).close()
    (tmp_path / "20260103-no-rollout").mkdir()
    assert find(None, tmp_path).id == "20260102-bbbb"
    assert find("aaaa", tmp_path).id == "20260101-aaaa"
    assert len(all_runs(tmp_path)) == 2
    with pytest.raises(InputError, match="no rollout 'cccc'"):
        find("cccc", tmp_path)
    with pytest.raises(InputError, match="there was no rollout"):
        find(None, tmp_path / "empty")


def test_others_may_ask_it_to_end_and_read_its_state(tmp_path: Path) -> None:
    log = start(tmp_path, "r1")
    run = Run(tmp_path / "r1")
    assert run.state() == {}
    assert not log.asked_to_stop()
    run.ask_to_stop()
    assert log.asked_to_stop()
    log.tell(lambda: {"nodes": {"n1": {"why": "it waits"}}})
    assert run.state()["nodes"]["n1"]["why"] == "it waits"
    log.tell(lambda: pytest.fail("asked again within a second"))
    log.tell(lambda: {"nodes": {}}, now=True)
    assert run.state()["nodes"] == {}
    log.close()


def test_the_run_that_is_meant_when_none_is_named(tmp_path: Path) -> None:
    asked = {"request": Request(inventory="inv").written()}
    token = {"did": {"node": "@rollout", "token": 7}}
    over = {"end": {"code": 4, "finished": True}}
    for name, entries in (("r1", (asked, token)), ("r2", (asked, over)), ("r3", ())):
        log = start(tmp_path, name)
        log.write(*entries)
        log.close()
    assert find(None, tmp_path).id == "r1"  # r2 was refused, r3 had not begun
    living = start(tmp_path, "r0")
    assert find(None, tmp_path).id == "r0"
    living.close()
    log = start(tmp_path, "r4")
    log.write(asked, token, over)
    log.close()
    assert find(None, tmp_path).id == "r4"  # nobody works while another holds the rollout's lease
