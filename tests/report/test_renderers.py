"""Each renderer tells the stories of ``stories`` right, leaks no secret and lets nothing steer a terminal."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from coreops import events as ev
from coreops.model import TaskResult
from coreops.report import choose
from coreops.report.hostlog import log_name
from tests.report import stories

SGR = re.compile("\x1b\\[[0-9;]*m")
CURSOR = re.compile("\x1b\\[[0-9;?]*[A-Za-z]")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


def show(story: list[ev.Event], *, terminal: bool = False, **options: Any) -> tuple[str, str]:
    out, err = (Terminal(), Terminal()) if terminal else (io.StringIO(), io.StringIO())
    with choose(stdout=out, stderr=err, **options) as emit:
        for event in story:
            emit(event)
    return out.getvalue(), err.getvalue()


def test_plain_says_what_matters() -> None:
    _, err = show(stories.small())
    assert err == (
        "play all of them\n"
        "n3  unreachable  connection refused\n"
        "  why: n3 (192.0.2.3) port 22\n"
        "  next: is sshd running?\n"
        "n1  changed      write motd\n"
        "n1  done         ok 2, changed 1, failed 0, skipped 1\n"
        "n2  changed      write motd\n"
        "n2  ignored      may fail: so what\n"
        "n2  failed       start etcd: Job failed\n"
        "  stderr: (20 lines before)\n" + "".join(f"  stderr: line {i}\n" for i in range(20, 30)) + "  stdout: "
        "\\x1b[2J\\x1b]0;owned\\x07[bold red]\\x0d\\xff\\u202e\n"
        "n2  failed       ok 2, changed 1, failed 1, skipped 0\n"
    )


def test_verbose_says_more() -> None:
    _, err = show(stories.small(), verbose=1)
    assert "n1  ok           start etcd: already running" in err
    assert "n1  skipped      skip it" in err
    assert "starts" not in err
    assert "n1  starts       write motd" in show(stories.small(), verbose=9)[1]


def test_check_mode_says_would() -> None:
    story = [
        ev.RunStarted("r", "c", ("n1",), check=True),
        stories.task("n1", "motd", TaskResult(changed=True)),
        stories.task("n1", "command", TaskResult(skipped=True, message="not run in check mode")),
        stories.task("n1", "other", TaskResult(skipped=True, message="when: x is false")),
        ev.HostFinished("n1", "done", ok=1, changed=1, skipped=2),
        ev.RunFinished("r", 0, 1.0, {"n1": "done"}),
    ]
    out, err = show(story)
    assert "n1  would change motd" in err
    assert "skipped      " not in err
    assert "check mode could not tell:\n  command: not run in check mode (n1)\n" in out
    assert "1 host done, 1 change would be made in 1.0 s" in out


def test_what_a_task_was_written_to_show_is_shown() -> None:
    result = TaskResult(message="hi\nthere", data={"_ansible_verbose_always": True})
    assert show([stories.task("n1", "debug", result)])[1] == "n1  ok           debug: hi\n  there\n"


def test_the_recap_is_the_result() -> None:
    out, _ = show(stories.small(), run_dir=None)
    assert out == (
        "n1, n2: write motd\n" + stories.DIFF + "\n"
        "host  state        ok  changed  failed  skipped\n"
        "n1    done          2        1       0        1\n"
        "n2    failed        2        1       1        0\n"
        "n3    unreachable   0        0       0        0\n"
        "\n"
        "1 host: connection refused (n3)\n"
        "  why: n3 (192.0.2.3) port 22\n"
        "  next: is sshd running?\n"
        "1 host: start etcd: Job failed (n2)\n"
        "1 failed, 1 unreachable of 3 hosts in 2.5 s\n"
    )
    assert "+new" not in show(stories.small(), diffs=False)[0]


def test_many_hosts_are_told_in_groups() -> None:
    story = stories.many()
    story.append(ev.RunFinished("r", 3, 5.0, {f"n{i:04}": "done" for i in range(37, 1000)}))
    out, _ = show(story)
    assert "37 hosts (n0000, n0001, n0002, +34)    unreachable" in out
    assert "963 hosts (n0037, n0038, n0039, +960)  done" in out
    assert "37 hosts: connection refused (n0000, n0001, n0002, +34)" in out
    assert len(out.splitlines()) < 10


def test_nothing_to_change() -> None:
    story = [ev.RunStarted("r", "c", ("n1",)), ev.HostFinished("n1", "done", ok=3), ev.RunFinished("r", 0, 0.2, {})]
    assert show(story)[0].endswith("1 host: nothing to change in 0.2 s\n")


def test_json_lines() -> None:
    out, err = show(stories.small(), json=True)
    objects = [json.loads(line) for line in out.splitlines()]
    assert err == ""
    assert objects[0]["event"] == "run_started"
    assert objects[0]["hosts"] == ["n1", "n2", "n3"]
    assert [one["event"] for one in objects[-2:]] == ["host_finished", "run_finished"]
    changed = next(one for one in objects if one["event"] == "task_finished")
    assert (changed["host"], changed["result"]["changed"], changed["result"]["diff"]) == ("n1", True, stories.DIFF)


def test_json_takes_any_value() -> None:
    data = {"x": b"\xff", 1: float("nan"), "p": Path("/x"), "s": {1}, "n": [None, ("a",)], "u": "\udcff"}
    out, _ = show([stories.task("n1", "x", TaskResult(data=data))], json=True)  # type: ignore[arg-type]
    assert json.loads(out)["result"]["data"] == {
        "x": "\\xff",
        "1": "nan",
        "p": "/x",
        "s": [1],
        "n": [None, ["a"]],
        "u": "\udcff",
    }


def test_junit(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "out.xml"
    show(stories.small(), junit=path)
    suites = {suite.get("name"): suite for suite in ET.parse(path).getroot()}
    assert {
        name: [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] for name, suite in suites.items()
    } == {
        "n1": ["3", "0", "0", "1"],
        "n2": ["3", "1", "0", "0"],
        "n3": ["1", "0", "1", "0"],
    }
    case = suites["n2"].findall("testcase")[2]
    assert (case.get("name"), case.get("classname"), case.get("time")) == ("start etcd", "all of them", "1.500")
    assert [one.name for one in path.parent.iterdir()] == ["out.xml"]


def test_junit_is_written_when_the_run_breaks_off(tmp_path: Path) -> None:
    path = tmp_path / "out.xml"

    def run() -> None:
        with choose(junit=path, stdout=io.StringIO(), stderr=io.StringIO()) as emit:
            emit(stories.small()[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert len(ET.parse(path).getroot()) == 3


def test_host_logs(tmp_path: Path) -> None:
    out, _ = show(stories.small(), run_dir=tmp_path)
    logs = {path.name: path.read_text() for path in (tmp_path / "hosts").iterdir()}
    assert set(logs) == {"n1.log", "n2.log", "n3.log"}
    said = [line[13:] for line in logs["n1.log"].splitlines()]
    assert said[:3] == ["connected in 0.100 s", "exchange s1: 2 steps", "changed: write motd [0.00 s]"]
    assert "    line 29" in logs["n2.log"]
    assert "connection refused" in logs["n3.log"]
    assert (tmp_path / "hosts" / "n1.log").stat().st_mode & 0o777 == 0o600
    assert f"log: {tmp_path}\n" in out


@pytest.mark.parametrize("host", ["n1", "..", "../x", "a/b", "-x", ".hidden", "a b\n", "é"])
def test_log_names_stay_in_their_folder(host: str) -> None:
    name = log_name(host)
    assert Path(name).name == name
    assert not name.startswith(".")


def test_command_outputs_are_the_result() -> None:
    story = [
        ev.RunStarted("r", "coreops exec", ("n1", "node2")),
        stories.task("n1", "uname", TaskResult(data={"stdout": "Linux\n5.10\n", "stderr": "warn\n"})),
        stories.task("node2", "uname", TaskResult(failed=True, message="rc 1", data={"stdout": "", "stderr": "no"})),
        ev.HostFinished("n1", "done", ok=1),
        ev.HostFinished("node2", "failed", failed=1),
        ev.RunFinished("r", 1, 0.3, {"n1": "done", "node2": "failed"}),
    ]
    out, err = show(story, outputs=True)
    assert out == "n1    | Linux\nn1    | 5.10\n"
    assert err == "n1    | warn\nnode2 | no\n\n1 host: uname: rc 1 (node2)\n1 failed of 2 hosts in 0.3 s\n"


def test_command_outputs_need_no_recap_when_all_went_well() -> None:
    story = [
        ev.RunStarted("r", "coreops exec", ("n1",)),
        stories.task("n1", "uname", TaskResult(data={"stdout": "Linux\n"})),
        ev.HostFinished("n1", "done", ok=1),
        ev.RunFinished("r", 0, 0.3, {"n1": "done"}),
    ]
    assert show(story, outputs=True) == ("n1 | Linux\n", "")


def test_live_table_shows_hosts_and_goes_away() -> None:
    out, err = show(stories.small(), terminal=True)
    seen = CURSOR.sub("", err)
    assert "3 hosts:" in seen
    assert "unreachable  connection refused" in seen
    assert err.rstrip().endswith("\x1b[2K")
    assert "start etcd: Job failed" in SGR.sub("", out)


def test_live_table_of_many_hosts_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from coreops.report.live import table
    from tests.report.test_tally import fold

    console = Console(file=io.StringIO(), width=80, height=24, force_terminal=True)
    with console.capture() as capture:
        console.print(table(fold(stories.many()), 100.0, 0.0, console.width, console.height))
    lines = SGR.sub("", capture.get()).splitlines()
    assert len(lines) <= 23
    assert lines[-1].startswith("1000 hosts: 37 unreachable, 10 running, 953 waiting")
    assert all("waiting " not in line for line in lines[:-1])


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("options", [{}, {"verbose": 2}, {"outputs": True}, {"json": True}])
def test_no_secret_anywhere(tmp_path: Path, terminal: bool, options: dict[str, Any]) -> None:
    junit = tmp_path / "junit.xml"
    shown = "".join(show(stories.secret(), terminal=terminal, junit=junit, run_dir=tmp_path, **options))
    files = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert stories.SECRET not in shown + "".join(files)


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("options", [{}, {"verbose": 2}, {"outputs": True}])
def test_nothing_steers_the_terminal(tmp_path: Path, terminal: bool, options: dict[str, Any]) -> None:
    story = stories.hostile()
    shown = "".join(show(story, terminal=terminal, junit=tmp_path / "x.xml", run_dir=tmp_path, **options))
    assert "owned" in shown
    assert "\x1b]" not in shown
    assert "\x1b[2J" not in shown
    assert "\x07" not in shown
    assert "\u202e" not in shown
    assert "[bold red]" in shown
    shown.encode()
    ET.parse(tmp_path / "x.xml")
    assert "\x1b" not in "".join(path.read_text() for path in (tmp_path / "hosts").iterdir())


@pytest.mark.parametrize(
    ("env", "terminal", "colored"),
    [({}, True, True), ({}, False, False), ({"NO_COLOR": "1"}, True, False), ({"FORCE_COLOR": "1"}, False, True)],
)
def test_colors(monkeypatch: pytest.MonkeyPatch, env: dict[str, str], terminal: bool, colored: bool) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    out, _ = show(stories.small(), terminal=terminal)
    assert bool(SGR.search(out)) is colored
    assert ("\x1b[32m+new\x1b[0m" in out) is colored


def test_live_table_keeps_names_whole_in_a_narrow_terminal() -> None:
    from rich.console import Console

    from coreops.report.live import table
    from tests.report.test_tally import fold

    names = ("controller-europe-1", "controller-europe-2")
    story: list[ev.Event] = [ev.RunStarted("r", "c", names)]
    story += [ev.StepStarted(name, "s", "a task with a rather long title, longer than there is room") for name in names]
    console = Console(file=io.StringIO(), width=60, height=24, force_terminal=True)
    with console.capture() as capture:
        console.print(table(fold(story), 100.0, 0.0, console.width, console.height))
    lines = SGR.sub("", capture.get()).splitlines()
    assert [line.split()[0] for line in lines[:2]] == list(names)
    assert all(len(line) <= 60 for line in lines)
    assert "running" in lines[0]
    assert "a task" in lines[0]
