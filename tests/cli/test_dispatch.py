"""Outcomes, errors, interrupts and bugs become text and exit codes in one place."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer

from coreops.cli._dispatch import dispatch
from coreops.cli._group import load
from coreops.errors import ExitCode, InputError, RefusedError, UnreachableError
from coreops.model import Position

Plant = Callable[[Callable[..., Any]], None]


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Plant]:
    """Put a function where ``coreops version`` looks for its command; work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COREOPS_DEBUG", "")
    monkeypatch.setenv("NO_COLOR", "")

    def put(function: Callable[..., Any]) -> None:
        module = types.ModuleType("coreops.cli.version")
        module.version = function  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "coreops.cli.version", module)
        load.cache_clear()

    yield put
    load.cache_clear()


def raising(error: BaseException) -> Callable[..., None]:
    def version(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
        raise error

    return version


def test_an_outcome_is_the_exit_code(plant: Plant) -> None:
    def version() -> int:
        return ExitCode.UNREACHABLE

    plant(version)
    assert dispatch(["version"]) == 3


def test_typer_exit_and_plain_return(plant: Plant) -> None:
    plant(raising(typer.Exit(4)))
    assert dispatch(["version"]) == 4
    plant(lambda: None)
    assert dispatch(["version"]) == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("bad host", where=Position("hosts.yml", 3, 7), why="a slash", next="rename it"), 2),
        (UnreachableError("tcp", "connection refused", where="n1"), 3),
        (RefusedError("no quorum"), 4),
        (KeyboardInterrupt(), 5),
        (typer.Abort(), 5),
        (RuntimeError("boom"), 1),
        (OSError(errno.ENOSPC, "No space left on device", "/var/log/x"), 1),
    ],
)
def test_every_error_has_its_code_and_no_traceback(
    plant: Plant, capsys: pytest.CaptureFixture[str], error: BaseException, code: int
) -> None:
    plant(raising(error))
    assert dispatch(["version"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("coreops: ")
    assert "Traceback" not in err


def test_the_four_parts(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    plant(raising(InputError("bad host", where=Position("hosts.yml", 3, 7), why="a slash", next="rename it")))
    dispatch(["version"])
    assert capsys.readouterr().err == "coreops: hosts.yml:3:7: bad host\n  why: a slash\n  next: rename it\n"


def test_json_error(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    plant(raising(UnreachableError("host key", "host key changed", where="n1")))
    assert dispatch(["version", "--json"]) == 3
    assert json.loads(capsys.readouterr().out) == {
        "event": "error",
        "error": "UnreachableError",
        "exit_code": 3,
        "what": "host key changed",
        "where": "n1",
        "kind": "host key",
    }


def test_what_a_node_said_cannot_steer_the_terminal(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    plant(raising(InputError("x", why="\x1b]0;owned\x07\udcff[bold]")))
    dispatch(["version"])
    assert "why: \\x1b]0;owned\\x07\\xff[bold]" in capsys.readouterr().err


def test_a_bug_leaves_its_traceback_in_a_file(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    plant(raising(ZeroDivisionError("one\ntwo")))
    assert dispatch(["version", "--json"]) == 1
    out, err = capsys.readouterr()
    (path,) = Path(".coreops").glob("bug-*.txt")
    assert "ZeroDivisionError" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert err == f"coreops: bug in coreops: ZeroDivisionError: one (traceback in {path}; --debug shows it)\n"
    assert json.loads(out)["error"] == "Bug"


def test_debug_shows_the_traceback(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    plant(raising(ZeroDivisionError("one")))
    dispatch(["version", "--debug"])
    assert "Traceback" in capsys.readouterr().err


def test_a_bug_where_nothing_can_be_written(
    plant: Plant, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".coreops").write_text("a file in the way")
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/proc")
    plant(raising(ZeroDivisionError("one")))
    assert dispatch(["version"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_usage_errors(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    plant(raising(RuntimeError()))
    assert dispatch(["version", "--nope"]) == 2
    assert "No such option" in capsys.readouterr().err
    assert dispatch(["lap", "--json"]) == 2
    out, err = capsys.readouterr()
    assert "Did you mean 'lab'" in err
    assert json.loads(out)["exit_code"] == 2


def test_json_after_the_dashes_belongs_to_the_command(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    def version(words: list[str]) -> None:
        raise InputError("x")

    plant(version)
    assert dispatch(["version", "--", "curl", "--json"]) == 2
    assert capsys.readouterr().out == ""


def test_a_reader_that_left_is_no_bug() -> None:
    program = "import sys; from coreops.cli import main; sys.argv = ['coreops', 'version']; main()"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", program], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


def test_closed_streams_are_nothing_to_trip_over(tmp_path: Path) -> None:
    program = "import sys; from coreops.cli import main; sys.argv[1:] = ['upgrade', 'inventory']; main()"
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", program], cwd=tmp_path, check=False
    )
    assert done.returncode == 2  # nobody is there to say yes
    assert not (tmp_path / ".coreops").exists()
