"""Programs that fail, hang, talk too much or leave others behind."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from coreops.errors import CoreopsError, InputError
from coreops.events import Event, Notice
from coreops.model import Position
from coreops.providers.command import connect
from coreops.providers.command.program import Program
from coreops.providers.command.provider import Command
from coreops.providers.protocol import Machine, Wanted
from coreops.providers.registry import Opening

HERE = Position("hosts.yml", 4, 2)
WANTED = Wanted("n1", "c", b"x", {}, HERE)
MACHINE = Machine("n1", "i-1", "running")
Make = Callable[..., Command]


@pytest.fixture
def said() -> list[Event]:
    return []


@pytest.fixture
def make(tmp_path: Path, said: list[Event]) -> Make:
    def made(script: str, timeout: float = 20) -> Command:
        path = tmp_path / "cloud"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return Command(Program(path, timeout, said.append), "c")

    return made


@pytest.mark.parametrize(
    ("script", "what", "why"),
    [
        ("echo 'no credentials' >&2; exit 3", "cloud failed at `create` (exit status 3)", "no credentials"),
        ("exit 3", "cloud failed at `create` (exit status 3)", "it said nothing on stderr"),
        ("kill -9 $$", "cloud failed at `create` (ended by signal 9)", "it said nothing on stderr"),
        ("echo half; echo 'lost it' >&2; exit 1", "cloud failed at `create` (exit status 1)", "lost it"),
        (
            "echo '{\"coreops\": 1}'; exit 1",
            "cloud failed at `create` (exit status 1)",
            "it answered as if all were well",
        ),
        ('echo \'{"coreops": 1, "error": {"why": "full"}}\'; exit 1', "cloud refused `create`", "full"),
        ("", "cloud did not answer `create` with JSON", "Expecting value: line 1 column 1 (char 0); it said ''"),
    ],
)
def test_a_failure_is_told_with_its_own_words(make: Make, script: str, what: str, why: str) -> None:
    with pytest.raises(CoreopsError) as caught:
        make(f"cat >/dev/null; {script}").create(WANTED)
    assert (caught.value.what, caught.value.why) == (what, why)
    assert caught.value.next


def test_a_program_that_reads_nothing_may_answer(make: Make) -> None:
    big = Wanted("n1", "c", b"x" * 1_000_000, {}, HERE)
    with pytest.raises(CoreopsError, match="something else"):
        make("exec <&-; echo '{\"coreops\": 1}'").create(big)


def test_stderr_is_shown_as_it_comes(make: Make, said: list[Event]) -> None:
    cloud = make("cat >/dev/null; echo one >&2; printf 'two\\377' >&2; echo '{\"coreops\": 1}'")
    cloud.destroy(MACHINE)
    assert said == [Notice("one", "n1"), Notice("two\\xff", "n1")]


def test_a_hanging_program_is_ended_with_all_it_started(make: Make, tmp_path: Path) -> None:
    # On a busy machine it may take long until the program has begun at all.
    for seconds in (0.5, 5.0, 50.0):
        cloud = make("sleep 1000 & echo $! >child; echo asking >&2; wait", timeout=seconds)
        with pytest.raises(CoreopsError, match=rf"did not answer `create` within {seconds:g} s") as caught:
            cloud.create(WANTED)
        if caught.value.why == "asking":
            break
    assert caught.value.why == "asking"
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 60
    while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_console_is_read_as_it_comes_and_ended_when_left(make: Make, tmp_path: Path) -> None:
    console = make("cat >/dev/null; echo $$ >pid; printf 'a\\0b'; exec sleep 1000").console(MACHINE)
    assert next(console) == b"a\0b"
    console.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_console_that_fails_says_so(make: Make) -> None:
    with pytest.raises(CoreopsError, match=r"failed at `console` \(exit status 2\)"):
        list(make("echo no such machine >&2; exit 2").console(MACHINE))


@pytest.mark.parametrize(
    ("settings", "what", "why"),
    [
        ({}, "needs a program", "command_program is not set"),
        ({"command_program": ["a"]}, "needs a program", 'command_program is ["a"]'),
        ({"command_program": "none"}, "is not there", "none"),
        ({"command_program": "."}, "is not there", ""),
        ({"command_program": "plain"}, "is not executable", "plain"),
        ({"command_program": "cloud", "command_timeout": "soon"}, "command_timeout is 'soon'", ""),
        ({"command_program": "cloud", "command_timeout": 0}, "command_timeout is 0", ""),
    ],
)
def test_a_bad_setting_is_told_with_its_place(tmp_path: Path, settings: dict[str, object], what: str, why: str) -> None:
    for name, mode in (("plain", 0o644), ("cloud", 0o755)):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(mode)
    with pytest.raises(InputError) as caught:
        connect(Opening("c", tmp_path, {"n1": settings}, HERE))
    assert what in caught.value.what
    assert why in (caught.value.why or "")
    assert caught.value.where == str(HERE)
    assert caught.value.next


def test_a_program_that_cannot_run_is_bad_input(tmp_path: Path) -> None:
    path = tmp_path / "cloud"
    path.write_text("#!/nonexistent/sh\n")
    path.chmod(0o755)
    with pytest.raises(InputError, match="cannot be run"):
        Command(Program(path, 5), "c").observe("c")
