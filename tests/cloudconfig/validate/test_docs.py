"""docs/validate.md shows what is really said, and knows every rule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coreops.cli._dispatch import dispatch
from coreops.cloudconfig.platforms.records import PLATFORMS
from coreops.cloudconfig.validate.check import target_named
from coreops.cloudconfig.validate.target import NAMES

TEXT = (Path(__file__).parents[3] / "docs" / "validate.md").read_text()
FILES = dict(re.findall(r"^`([\w.-]+)`:\n\n```\w+\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
COMMAND = rf"^\$ coreops (validate (?:{'|'.join(FILES)})[^\n]*)\n(.*?)^```"
SHOWN = re.findall(COMMAND, TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=[command for command, _ in SHOWN])
def test_the_examples_are_real(
    command: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        Path(name).write_text(text)
    assert dispatch(command.split()) == 1
    said = capsys.readouterr()
    assert said.out + said.err == shown


def test_there_are_examples() -> None:
    assert len(SHOWN) >= 2


def test_every_rule_target_and_platform_is_named() -> None:
    rules = [rule.name for name in NAMES for rule in target_named(name).rules]
    names = [*rules, "read", "header", *NAMES, *PLATFORMS]
    assert [name for name in names if f"`{name}`" not in TEXT] == []


def test_the_limits_are_those_of_the_records() -> None:
    limited = sorted(f"`{name}`" for name, platform in PLATFORMS.items() if platform.limit)
    assert f"Limits are checked where a source names one: {', '.join(limited)}." in TEXT.replace("\n", " ")
