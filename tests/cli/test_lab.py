"""``coreops lab image``: where a release's image is. (What boots nodes is tested on real ones.)"""

from __future__ import annotations

from pathlib import Path

import pytest

from coreops.cli._dispatch import dispatch
from coreops.providers.namespace.image import current


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COREOPS_CACHE", str(tmp_path / "with space"))


def test_where_an_image_is(capsys: pytest.CaptureFixture[str]) -> None:
    path = current().usr("1.1.0")
    path.parent.mkdir(parents=True)
    path.touch()
    assert dispatch(["lab", "image", "1.1.0"]) == 0
    assert capsys.readouterr().out == f"{path}\n"


def test_before_the_first_lab(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["lab", "image", "1.1.0"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "coreops lab up" in err


def test_a_release_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["lab", "image", "1.1"]) == 2
    assert "1.1.0" in capsys.readouterr().err
    assert dispatch(["lab", "image", "$(reboot)"]) == 2
    assert "1.0.0, 1.1.0" in capsys.readouterr().err
