"""The root command: lists everything, imports little, completes, and documents its exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup

from coreops import __version__
from coreops.cli import _group
from coreops.cli._commands import COMMANDS, EXIT_CODES
from coreops.cli._dispatch import dispatch
from coreops.errors import ExitCode

HEAVY = ("cryptography", "httpx", "jinja2", "paramiko", "pydantic", "rich", "yaml")
DOCS = Path(__file__).parents[2] / "docs"


def program(code: str, **env: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=env)
    assert not done.stderr, done.stderr
    return done.stdout


@pytest.mark.parametrize("run", ["", "; from coreops.cli._dispatch import dispatch; dispatch(['--help'])"])
def test_help_is_cheap(run: str) -> None:
    code = f"import coreops.cli{run}; import sys; print('loaded:', *sys.modules)"
    loaded = program(code).rsplit("loaded:", 1)[1].split()
    assert not set(HEAVY) & set(loaded)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["--help"]) == 0
    out = capsys.readouterr().out
    for name, text in COMMANDS.items():
        assert name in out
        assert text in " ".join(out.split())


def test_no_arguments_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch([]) == 2
    assert "Commands:" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["--version"]) == 0
    assert dispatch(["version"]) == 0
    assert capsys.readouterr().out == f"coreops {__version__}\n" * 2


def leaves(command: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(command, TyperGroup):
        return [leaf for name, child in command.commands.items() for leaf in leaves(child, f"{path} {name}")]
    return [(path, command)]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_loads_and_documents_itself(name: str) -> None:
    for path, command in leaves(_group.load(name), name):
        assert command.help, path
        assert "Exit codes:" in command.epilog, path
        options = {option for param in command.params for option in param.opts}
        assert {"--debug", "--no-color"} <= options, path
        for param in command.params:
            assert param.help, f"{path}: {param.name} has no help"


def test_exit_codes_are_told_as_they_are() -> None:
    assert set(EXIT_CODES) == {int(code) for code in ExitCode}
    page = (DOCS / "exit-codes.md").read_text()
    for code, meaning in EXIT_CODES.items():
        assert f"| {code} | {meaning} |" in page


@pytest.mark.parametrize(
    ("words", "expected"),
    [("coreops ve", "version"), ("coreops version --js", "--json"), ("coreops modules cop", "copy")],
)
def test_completion_reaches_commands_that_are_not_imported(words: str, expected: str) -> None:
    code = "import sys; sys.argv = ['coreops']; from coreops.cli import main; main()"
    env = {"_COREOPS_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    assert program(code, **env).split() == [expected]


def test_completion_script_names_the_program() -> None:
    code = "import sys; sys.argv = ['coreops']; from coreops.cli import main; main()"
    script = program(code, _COREOPS_COMPLETE="source_bash")
    assert "complete" in script
    assert "coreops" in script
