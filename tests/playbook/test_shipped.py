"""The shipped playbooks: which there are, that each can be read, and when a bare name means one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from coreops.playbook import load_playbook
from coreops.playbook.shipped import meant, names, shipped


@pytest.mark.parametrize("name", names())
def test_each_can_be_read(name: str) -> None:
    assert load_playbook(shipped(name)).plays


def test_an_operator_s_own_file_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert meant(Path("toolbox.yml")) == shipped("toolbox.yml")
    Path("toolbox.yml").write_text("[]")
    assert meant(Path("toolbox.yml")) == Path("toolbox.yml")


@pytest.mark.parametrize("name", ["site.yml", "./no/toolbox.yml", "/toolbox.yml"])
def test_other_names_stay_as_they_are(name: str) -> None:
    assert meant(Path(name)) == Path(name)
