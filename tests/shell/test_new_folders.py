"""New files of new folders, which one process places for a whole row: what may and what must not come of it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from coreops.model import Blob, FileStep
from tests.support.shells import EACH_SHELL, run_steps

shells = pytest.mark.parametrize("shell", EACH_SHELL)


def folder(path: Path, mode: int = 0o751, **more: object) -> FileStep:
    return FileStep(id=f"d{path}", title="t", path=str(path), kind="directory", mode=mode, **more)  # type: ignore[arg-type]


def file(path: Path, data: bytes = b"x", **more: object) -> FileStep:
    return FileStep(id=f"f{path}", title="t", path=str(path), kind="file", content=Blob.of(data), **more)  # type: ignore[arg-type]


def states(steps: list[FileStep], shell: str) -> list[str]:
    program, _ = run_steps(steps, shell)
    return [record.state for record in program.records.values()]


def found(below: Path) -> dict[str, tuple[int, int]]:
    """Every path below: mode, and links to it when it is a file."""
    seen = {path: path.lstat() for path in below.rglob("*")}
    return {
        str(path.relative_to(below)): (stat.S_IMODE(one.st_mode), one.st_nlink if stat.S_ISREG(one.st_mode) else 0)
        for path, one in seen.items()
    }


def row(below: Path) -> list[FileStep]:
    names = ["a", "b'\"$(id) c", "-d"]
    return [
        *(folder(below / name) for name in names),
        folder(below / "a" / "deep", 0o700),
        *(file(below / name / f"f{n}", mode=0o640) for n in range(3) for name in names),
        file(below / "a" / "deep" / "f", b"\0" * 70_000, mode=0o600),
    ]


WANTED = {
    **dict.fromkeys(("a", "b'\"$(id) c", "-d"), (0o751, 0)),
    **{f"{name}/f{n}": (0o640, 1) for name in ("a", "b'\"$(id) c", "-d") for n in range(3)},
    "a/deep": (0o700, 0),
    "a/deep/f": (0o600, 1),
}


@shells
def test_all_are_placed_and_nothing_is_left(shell: str, tmp_path: Path) -> None:
    below = tmp_path / "new" / "parent"
    assert set(states(row(below), shell)) == {"changed"}
    assert found(below) == WANTED
    assert set(states(row(below), shell)) == {"ok"}


@shells
def test_where_nothing_can_be_linked_they_are_moved(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system without hard links; busybox brings its own cp, and links."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "cp").write_text("#!/bin/sh\nexit 1\n")
    (tools / "cp").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    below = tmp_path / "below"
    assert set(states(row(below), shell)) == {"changed"}
    assert found(below) == WANTED


@shells
def test_what_comes_after_a_failure_is_not_placed(shell: str, tmp_path: Path) -> None:
    steps = [
        *(folder(tmp_path / name) for name in "ab"),
        file(tmp_path / "a" / "one"),
        file(tmp_path / "b" / "two", owner="nobody-of-that-name"),
        file(tmp_path / "a" / "three"),
    ]
    assert states(steps, shell) == ["changed", "changed", "changed", "failed"]
    assert found(tmp_path) == {"a": (0o751, 0), "b": (0o751, 0), "a/one": (0o644, 1)}


@shells
def test_a_step_between_ends_the_row(shell: str, tmp_path: Path) -> None:
    """The link cannot be made; the file after it must not be there."""
    (tmp_path / "taken").mkdir()
    link = FileStep(id="l", title="t", path=str(tmp_path / "taken"), kind="link", target="a")
    steps = [folder(tmp_path / "a"), file(tmp_path / "a" / "one"), link, file(tmp_path / "a" / "two")]
    assert states(steps, shell) == ["changed", "changed", "failed"]
    assert sorted(found(tmp_path)) == ["a", "a/one", "taken"]


@shells
@pytest.mark.parametrize(("mode", "group"), [(0o2751, 12), (0o751, 0)])
def test_files_get_the_group_of_a_setgid_folder_only(shell: str, mode: int, group: int, tmp_path: Path) -> None:
    os.chown(tmp_path, 0, 12)
    tmp_path.chmod(0o2755)
    assert set(states([folder(tmp_path / "a", mode), file(tmp_path / "a" / "f")], shell)) == {"changed"}
    assert ((tmp_path / "a").stat().st_gid, (tmp_path / "a" / "f").stat().st_gid) == (12, group)
