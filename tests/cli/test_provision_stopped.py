"""``coreops provision`` that is stopped or killed while a machine is being made; ``destroy`` that asks a person."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from coreops.cli._dispatch import dispatch
from tests.cli.test_provision import faults, here, machines

pytestmark = pytest.mark.slow

__all__ = ["here"]


def begun(here: Path) -> subprocess.Popen[str]:
    """A run that makes one machine at a time, and is in the middle of the first."""
    faults(here, hold=True)
    line = [sys.executable, "-c", "from coreops.cli import main; main()", "provision", "inv", "--forks", "1"]
    running = subprocess.Popen(line, cwd=here, text=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    until(lambda: (here / "cloud" / "begun").exists())
    assert machines(here) == {}
    return running


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_ctrl_c_finishes_what_has_begun_and_begins_no_more(here: Path) -> None:
    running = begun(here)
    running.send_signal(signal.SIGINT)
    (here / "cloud" / "go").touch()
    said = running.communicate(timeout=20)[1]
    assert running.returncode == 5, said
    assert "next: run the same command again" in said
    assert machines(here).keys() == {"n1"}
    assert json.loads((here / "inv/.coreops/machines.json").read_text())["machines"].keys() == {"n1"}


def test_kill_9_while_a_machine_is_made_leaves_no_orphan(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    running = begun(here)
    running.kill()
    running.communicate(timeout=20)
    (here / "cloud" / "go").touch()
    until(lambda: machines(here).keys() == {"n1"})
    assert dispatch(["provision", "inv"]) == 0
    assert capsys.readouterr().out.split()[:2] == ["kept", "n1"]
    assert machines(here).keys() == {"n1", "n2", "n3"}


def test_a_second_run_at_the_same_time_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    running = begun(here)
    assert dispatch(["provision", "inv"]) == 4
    assert "another coreops" in capsys.readouterr().err
    (here / "cloud" / "go").touch()
    running.communicate(timeout=20)
    assert running.returncode == 0


@pytest.mark.parametrize(("typed", "code", "left"), [("3\n", 0, 0), ("2\n", 4, 3), ("yes\n", 4, 3), ("", 5, 3)])
def test_destroy_asks_for_the_number(
    here: Path, monkeypatch: pytest.MonkeyPatch, typed: str, code: int, left: int
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert dispatch(["provision", "inv"]) == 0
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    assert dispatch(["destroy", "inv"]) == code
    assert len(machines(here)) == left
