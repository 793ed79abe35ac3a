"""The rule that keeps the host's udev away, as text; that udev obeys it is seen in tests/lab."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.providers.namespace import udev
from coreops.providers.namespace.names import LabNames


def pattern_of(rule: str) -> str:
    found = re.search(r'ATTRS\{loop/backing_file\}=="([^"]*)"', rule)
    assert found
    return found.group(1)


def test_the_rule_names_the_labs_folder() -> None:
    rule = udev.rule(Path("/var/lib/coreops/labs/lab"))
    assert pattern_of(rule) == "/var/lib/coreops/labs/lab/*"
    assert 'ENV{UDEV_DISABLE_PERSISTENT_STORAGE_RULES_FLAG}="1"' in rule
    assert rule.endswith("\n")
    assert rule.count("\n") == 1


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1))
def test_no_path_breaks_out_of_the_rule(name: str) -> None:
    rule = udev.rule(Path("/x") / name)
    assert rule.count("\n") == 1
    assert rule.count('"') == udev.rule(Path("/x/y")).count('"')
    assert fnmatch.fnmatchcase(str(Path("/x") / name / "nodes/n1/disk.img"), pattern_of(rule))


def test_it_comes_and_goes_with_the_lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    reloads: list[list[str]] = []
    monkeypatch.setattr(udev, "_RUN", tmp_path)
    monkeypatch.setattr(udev, "run", lambda argv, check: reloads.append(argv))
    names = LabNames("one", tmp_path / "labs")
    udev.ensure(names)
    assert not udev.rules_file(names).exists()  # no udev here
    (tmp_path / "control").touch()
    udev.ensure(names)
    udev.ensure(names)
    assert udev.rules_file(names).read_text() == udev.rule(names.folder)
    assert len(reloads) == 1
    udev.remove(names)
    udev.remove(names)
    assert not udev.rules_file(names).exists()
    assert len(reloads) == 2
