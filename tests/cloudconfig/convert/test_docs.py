"""docs/migrating-from-coreos-cloudinit.md shows what is really written and said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coreops.cli._dispatch import dispatch
from coreops.cloudconfig.convert import metadata, modern

TEXT = (Path(__file__).parents[3] / "docs" / "migrating-from-coreos-cloudinit.md").read_text()


def test_the_example_is_real(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    config, result = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    (report,) = re.findall(r"^```console\n\$ coreops (.*?)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    Path("user-data").write_text(config)
    assert dispatch(report[0].split()) == 2
    assert capsys.readouterr().err == report[1]
    assert dispatch([*report[0].split(), "--allow-loss"]) == 0
    assert capsys.readouterr().out == result


def test_the_commands_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("user-data").write_text("#cloud-config\nhostname: core-01\n")
    (commands,) = re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    lines = [line.partition("#")[0].removeprefix("coreops ").split() for line in commands.splitlines()]
    assert len(lines) == 6
    assert [dispatch(line) for line in lines[:-1]] == [0] * 5


def test_what_messages_point_to_is_there() -> None:
    assert f"Platforms that have it: {', '.join(metadata.VARIABLES)}." in TEXT.replace("\n", " ")
    assert "\n## Units of fleet\n" in TEXT
    assert "migrating-from-coreos-cloudinit.md: Units of fleet" in modern._NO_FLEET
