"""From names and paths to units."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.units import loading

TEXT = "[Service]\nExecStart=/bin/sleep %i\n[X-Fleet]\nConflicts=%p@*.service\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "web@.service").write_text(TEXT)
    (tmp_path / "web@2.service").write_text(TEXT.replace("sleep", "echo"))
    (tmp_path / "db.service").write_text(TEXT)
    return tmp_path


def test_instances_come_from_their_template_unless_they_have_a_file(folder: Path) -> None:
    found = loading.load([folder / "web@1..3.service", folder / "db"])
    assert [each.name.full for each in found] == ["web@1.service", "web@2.service", "web@3.service", "db.service"]
    assert [Path(each.file.path).name for each in found] == [
        "web@.service",
        "web@2.service",
        "web@.service",
        "db.service",
    ]
    assert [each.wish.conflicts for each in found[:1]] == [("web@*.service",)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("web@.service", "name its instances, like web@1..3.service"),
        ("dc.service", "did you mean 'db.service'?"),
        ("we b.service", "not the name of a unit"),
        ("nowhere/db.service", "cannot read the unit"),
    ],
)
def test_what_is_refused(folder: Path, name: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        loading.load([folder / name])
    assert said in str(caught.value)


def test_a_pipe_is_not_read(folder: Path) -> None:
    os.mkfifo(folder / "pipe.service")
    for name, said in (("pipe", "a pipe or a device"), ("null", "a pipe or a device"), ("dir", "cannot read the unit")):
        if name == "null":
            (folder / "null.service").symlink_to("/dev/null")
        if name == "dir":
            (folder / "dir.service").mkdir()
        with pytest.raises(InputError, match=said):
            loading.load([folder / f"{name}.service"])


def test_odd_files(folder: Path) -> None:
    (folder / "odd.service").write_bytes(b"[Service]\nExecStart=\xff\n")
    (folder / "empty.service").write_text("# nothing\n")
    (folder / "large.service").write_text("#" * 300_000)
    for name, said in (("odd", "not UTF-8"), ("empty", "nothing in this unit"), ("large", "too large")):
        with pytest.raises(InputError, match=said):
            loading.load([folder / f"{name}.service"])
    with pytest.raises(InputError, match="named twice"):
        loading.load([folder / "db.service", folder / "db.service"])


def test_names_alone() -> None:
    assert loading.named(["web@1..2", "./units/db.service"]) == ("web@1.service", "web@2.service", "db.service")
