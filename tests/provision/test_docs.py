"""docs/writing-a-provider.md is real: its programs make machines, and its commands print what it says."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from coreops.cli._dispatch import dispatch
from coreops.model import Position
from coreops.providers.command import connect
from coreops.providers.protocol import Wanted
from coreops.providers.registry import Opening

pytestmark = pytest.mark.slow

TEXT = (Path(__file__).parents[2] / "docs/writing-a-provider.md").read_text()
FILES = dict(re.findall(r"`([^`\n]+/[^`\n]+)`:\n\n```\w+\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
CONSOLE = "".join(re.findall(r"^```console\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
COMMANDS = re.findall(r"^\$ coreops ([^\n]+)\n((?:[^$\n][^\n]*\n)*)", CONSOLE, re.MULTILINE)
SIZE = re.compile(r"\d+(?= bytes)")  # of user-data, which the templates decide
PROGRAMS = [
    "clouds/files.py",
    pytest.param("clouds/files.sh", marks=pytest.mark.skipif(not shutil.which("jq"), reason="needs jq")),
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if path.parent.name == "clouds":
            path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COREOPS_INVENTORY", raising=False)
    return tmp_path


def test_the_page_has_programs_and_commands() -> None:
    assert set(FILES) == {"inventories/prod/hosts.yml", "clouds/files.py", "clouds/files.sh"}
    assert len(COMMANDS) == 5


@pytest.mark.parametrize("program", PROGRAMS)
def test_commands_print_what_the_page_says(here: Path, capfd: pytest.CaptureFixture[str], program: str) -> None:
    hosts = here / "inventories/prod/hosts.yml"
    hosts.write_text(hosts.read_text().replace("clouds/files.py", program))
    for command, expected in COMMANDS:
        assert dispatch(shlex.split(command)) == 0, capfd.readouterr().err
        shown = capfd.readouterr().out.replace(Path(program).name, "files.py")
        assert SIZE.sub("", shown) == SIZE.sub("", expected), command


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_programs_obey_the_rules(here: Path, program: str) -> None:
    where = Position("hosts.yml")
    provider = connect(Opening("c", here, {"n1": {"command_program": program}}, where))
    wanted = Wanted("n1", "c", b"#cloud-config\n", {"command_size": "small"}, where)
    made = provider.create(wanted)
    assert provider.create(wanted) == made
    provider.power(made, "off")
    assert [each.state for each in provider.observe("c")] == ["stopped"]
    assert provider.create(wanted).state == "running"
    assert provider.observe("another") == ()
    provider.destroy(made)
    provider.destroy(made)
    assert provider.observe("c") == ()


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="needs shellcheck")
def test_the_script_is_clean(here: Path) -> None:
    subprocess.run(["shellcheck", "clouds/files.sh"], check=True)
