"""Images in the cache are whole or not there, whatever became of their builders."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from coreops.events import Event, Notice
from coreops.providers.namespace import eviction, image
from coreops.providers.namespace.host import wait_until
from coreops.providers.namespace.plan import LabPlan


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COREOPS_CACHE", str(tmp_path))
    monkeypatch.setenv("COREOPS_LAB_STATE", str(tmp_path / "labs"))
    return tmp_path / "images"


def silent(event: Event) -> None:
    """What is removed is looked at."""


def fill(work: Path) -> None:
    (work / "aside").write_text("not kept")
    (work / "out/file").write_text("kept")


def test_what_was_built_is_kept_and_not_built_again(root: Path) -> None:
    image.keep(root / "one", "plain", fill, silent)
    image.keep(root / "one", "plain", lambda work: pytest.fail("built again"), silent)
    assert [str(path.relative_to(root)) for path in sorted(root.rglob("*"))] == ["one", "one/file", "one/kind"]


def test_a_build_that_fails_leaves_nothing(root: Path) -> None:
    def fails(work: Path) -> None:
        fill(work)
        raise RuntimeError("no mirror")

    mask = os.umask(0o027)
    try:
        with pytest.raises(RuntimeError, match="no mirror"):
            image.keep(root / "one", "plain", fails, silent)
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(mask)
    assert list(root.iterdir()) == []
    image.keep(root / "one", "plain", fill, silent)
    assert (root / "one/file").exists()


@pytest.mark.slow
def test_a_killed_build_is_cleared_away_by_the_next(root: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from coreops.providers.namespace import image\n"
        "def build(work):\n    (work / 'out/half').touch()\n    time.sleep(60)\n"
        "image.keep(Path(sys.argv[1]), 'plain', build, print)\n"
    )
    builder = subprocess.Popen([sys.executable, "-c", code, str(root / "one")])
    try:
        assert wait_until(lambda: bool(list(root.glob(".build-*/out/half"))), 30.0)
    finally:
        builder.send_signal(signal.SIGKILL)
        builder.wait()
    assert not (root / "one").exists()
    image.keep(root / "one", "plain", fill, silent)
    assert [path.name for path in root.iterdir()] == ["one"]


def test_of_each_kind_the_ones_asked_for_last_stay_and_those_of_labs(root: Path, tmp_path: Path) -> None:
    (root / "no image").mkdir(parents=True)
    (tmp_path / "labs/lab").mkdir(parents=True)
    (tmp_path / "labs/lab/lab.json").write_text(LabPlan("lab", "10.77.0.0/24", 1, "one").to_json())
    said: list[Event] = []
    for age, name in enumerate(("one", "two", "three", "four")):
        image.keep(root / name, "plain", fill, said.append)
        image.keep(root / f"{name} with more", "more", fill, said.append)
        for each in (name, f"{name} with more"):
            if (root / each).exists():
                os.utime(root / each, (age, age))
        image.keep(root / "two", "plain", fill, said.append)  # asked for again and again
    left = {path.name for path in root.iterdir()}
    assert left == {"no image", "one", "two", "four", "three with more", "four with more"}
    assert [event.text for event in said if isinstance(event, Notice)][-1].endswith("cache: two with more")
    assert eviction.superseded({Path("a"): 1.0, Path("b"): 2.0}, frozenset()) == []
