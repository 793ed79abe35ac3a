"""The command line of ``docker run``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.model import Position
from coreops.units import docker_run
from coreops.units.command_line import Command

AT = Position("a.service", 1)


def find(*words: str) -> docker_run.DockerRun | None:
    return docker_run.find(Command(words, "", AT))


def test_options_in_all_their_forms() -> None:
    words = [
        "-it",
        "--rm=true",
        "-p80:80",
        "-p",
        "81:81",
        "-e=A=b",
        "--net",
        "host",
        "--name=x",
        "--",
        "nginx",
        "-p",
        "9",
        "--rm",
    ]
    run = find("/usr/bin/docker", "-H", "unix:///x", "run", *words)
    assert run is not None
    assert (run.image, run.arguments) == ("nginx", ("-p", "9", "--rm"))
    assert run.all("publish") == ("80:80", "81:81")
    assert (run.has("interactive"), run.has("tty"), run.has("rm")) == (True, True, True)
    assert (run.last("env"), run.last("network"), run.last("name"), run.last("user")) == ("A=b", "host", "x", "")


@pytest.mark.parametrize(("line", "shell"), [("docker run -d nginx", True), ("exec docker container run nginx", False)])
def test_in_a_shell(line: str, shell: bool) -> None:
    run = find("/bin/sh", "-c", line)
    assert run is not None
    assert (run.image, run.shell) == ("nginx", shell)


@pytest.mark.parametrize("words", [("/bin/true",), ("docker", "pull", "x"), ("docker",), ("sh", "-c", "echo run")])
def test_what_is_none(words: tuple[str, ...]) -> None:
    assert find(*words) is None


@given(st.lists(st.text()))
def test_any_words_are_taken_apart(words: list[str]) -> None:
    run = docker_run.parse(words, AT)
    assert len(run.arguments) <= len(words)
