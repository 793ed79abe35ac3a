"""docs/validate.md shows what is really said, and knows every rule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coreops.cli._dispatch import dispatch
from coreops.cloudconfig.platforms.records import PLATFORMS
from coreops.cloudconfig.validate.rules import RULES

TEXT = (Path(__file__).parents[3] / "docs" / "validate.md").read_text()


def test_the_example_is_real(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (config,) = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    (shown,) = re.findall(r"^\$ coreops validate user-data --platform qemu\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    Path("user-data").write_text(config)
    assert dispatch(["validate", "user-data", "--platform", "qemu"]) == 1
    assert capsys.readouterr().out == shown


def test_every_rule_and_platform_is_named() -> None:
    names = [*(rule.name for rule in RULES), "read", "header", *PLATFORMS]
    assert [name for name in names if f"`{name}`" not in TEXT] == []


def test_the_limits_are_those_of_the_records() -> None:
    limited = sorted(name for name, platform in PLATFORMS.items() if platform.limit)
    assert limited == ["ec2", "eucalyptus", "openstack"]
