"""Every file and command of docs/inventory.md is real: written, run and compared."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from coreops.cli.inventory import app
from coreops.errors import InputError
from coreops.inventory.aliases import ALIASES
from tests.inventory.support import from_ini, write

TEXT = (Path(__file__).parents[2] / "docs/inventory.md").read_text()
FILES = dict(re.findall(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
CONSOLE = "".join(re.findall(r"^```console\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
COMMANDS = re.findall(r"^\$ coreops inventory ([^\n]+)\n((?:[^$\n][^\n]*\n)*)", CONSOLE, re.MULTILINE)


@pytest.mark.parametrize(("command", "expected"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_commands_print_what_the_page_says(
    command: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write(tmp_path, FILES))
    monkeypatch.delenv("COREOPS_INVENTORY", raising=False)
    try:
        shown = CliRunner().invoke(app, shlex.split(command), catch_exceptions=False).stdout
    except InputError as error:
        shown = f"coreops: {error}\n"
    assert shown == expected


def test_the_page_has_commands_and_files() -> None:
    assert len(COMMANDS) >= 7
    assert len(FILES) == 4


def test_the_ini_example_says_the_same() -> None:
    ini = re.findall(r"^```ini\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)[0]
    assert from_ini(ini).vars("n3") == {"ansible_host": "192.0.2.13", "zone": "us-1"}


def test_every_name_of_coreops_is_in_the_table() -> None:
    assert all(f"`{names[0]}`" in TEXT for names in ALIASES.values())
