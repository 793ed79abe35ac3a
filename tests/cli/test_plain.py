"""What is taken without pydantic is what typer takes, and the rest is typer's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.exceptions import TyperException

from coreops.cli._plain import convert_plainly

LINES = [
    ["x"],
    ["x", "--path", "missing"],
    ["x", "--path", "."],
    ["x", "--path", os.devnull],
    ["x", "--number", "7"],
    ["x", "--number", "0"],
    ["x", "--number", "-3"],
    ["x", "--number", "+3"],
    ["x", "--number", "1_0"],
    ["x", "--number", " 4 "],
    ["x", "--number", "٣"],
    ["x", "--number", "9" * 5000],
    ["x", "--number", "two"],
    ["x", "--number", ""],
    ["x", "--seconds", "1.5"],
    ["x", "--seconds", "9"],
    ["x", "--seconds", "nan"],
    ["x", "--seconds", "0"],
    ["x", "--words", "a", "--words", "b"],
    ["x", "-vvv", "--flag"],
    ["--", "-x", "a", "$(b)"],
    ["x", "--flag", "a", "b"],
    [],
]


def _command(
    first: Annotated[str, typer.Argument()],
    rest: Annotated[list[str] | None, typer.Argument()] = None,
    path: Annotated[Path | None, typer.Option()] = None,
    number: Annotated[int | None, typer.Option(min=1, max=20)] = None,
    seconds: Annotated[float, typer.Option(min=1)] = 600,
    words: Annotated[list[str] | None, typer.Option()] = None,
    flag: Annotated[bool, typer.Option("--flag")] = False,
    verbose: Annotated[int, typer.Option("-v", count=True)] = 0,
) -> None: ...


def values(line: list[str], *, plainly: bool) -> dict[str, Any] | str:
    app = typer.Typer(add_completion=False)
    app.command()(_command)
    command: Any = typer.main.get_command(app)
    if plainly:
        convert_plainly(command)
    try:
        return dict(command.make_context("x", list(line)).params)
    except TyperException as error:
        return error.format_message()


@pytest.mark.parametrize("line", LINES, ids=lambda line: " ".join(line)[:20])
def test_as_typer_does_it(line: list[str]) -> None:
    ours, theirs = (values(line, plainly=plainly) for plainly in (True, False))
    assert ours == theirs


def test_a_usual_line_needs_no_pydantic(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.ini"
    inventory.write_text("n1 ansible_connection=local\n")
    line = ["exec", "all", "-i", str(inventory), "-l", "n1", "-f", "3", "--", "echo", "hi"]
    code = f"from coreops.cli._dispatch import dispatch; dispatch({line}); import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "coreops.engine.engine" in done.stdout.split()
    assert not {"pydantic", "jinja2", "rich", "paramiko", "yaml"} & set(done.stdout.split())


def test_a_playbook_needs_no_pydantic(tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").write_text("n1 ansible_connection=local\n")
    (tmp_path / "play.yml").write_text("- hosts: all\n  tasks: [{command: 'true'}, {debug: {msg: '{{ 1 }}'}}]\n")
    code = "from coreops.cli._dispatch import dispatch; dispatch(['run', 'play.yml', '-i', 'hosts.ini'])"
    code += "; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "coreops.modules.debug" in done.stdout.split()
    assert not {"pydantic", "rich", "paramiko"} & set(done.stdout.split())


def test_pydantic_looks_for_no_plugins(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {n1: {ansible_connection: local}}}\n")
    code = (
        "import atexit, sys; from coreops.cli import main\n"
        "sys.argv = ['coreops', 'render', 'n1', '-i', 'hosts.yml']\n"
        "atexit.register(lambda: print('loaded', *sys.modules)); main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    loaded = done.stdout.rsplit("loaded", 1)[1].split()
    assert "pydantic.main" in loaded
    assert "importlib.metadata" not in loaded


def test_channels_load_no_boto3() -> None:
    code = "import sys; from coreops import cli; cli._want_no_kms(); import tuf.api.metadata; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "boto3" not in done.stdout.split()
