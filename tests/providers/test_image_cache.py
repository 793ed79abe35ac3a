"""Images in the cache are whole or not there, whatever became of their builders."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from coreops.providers.namespace import image
from coreops.providers.namespace.host import wait_until


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COREOPS_CACHE", str(tmp_path))
    return tmp_path / "images"


def fill(work: Path) -> None:
    (work / "aside").write_text("not kept")
    (work / "out/file").write_text("kept")


def test_what_was_built_is_kept_and_not_built_again(root: Path) -> None:
    image.keep(root / "one", fill)
    image.keep(root / "one", lambda work: pytest.fail("built again"))
    assert [str(path.relative_to(root)) for path in sorted(root.rglob("*"))] == ["one", "one/file"]


def test_a_build_that_fails_leaves_nothing(root: Path) -> None:
    def fails(work: Path) -> None:
        fill(work)
        raise RuntimeError("no mirror")

    mask = os.umask(0o027)
    try:
        with pytest.raises(RuntimeError, match="no mirror"):
            image.keep(root / "one", fails)
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(mask)
    assert list(root.iterdir()) == []
    image.keep(root / "one", fill)
    assert (root / "one/file").exists()


@pytest.mark.slow
def test_a_killed_build_is_cleared_away_by_the_next(root: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from coreops.providers.namespace import image\n"
        "def build(work):\n    (work / 'out/half').touch()\n    time.sleep(60)\n"
        "image.keep(Path(sys.argv[1]), build)\n"
    )
    builder = subprocess.Popen([sys.executable, "-c", code, str(root / "one")])
    try:
        assert wait_until(lambda: bool(list(root.glob(".build-*/out/half"))), 30.0)
    finally:
        builder.send_signal(signal.SIGKILL)
        builder.wait()
    assert not (root / "one").exists()
    image.keep(root / "one", fill)
    assert [path.name for path in root.iterdir()] == ["one"]
