"""``coreops validate``: what it prints and how it ends."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from coreops.cli._dispatch import dispatch

GOOD = "#cloud-config\nhostname: n1\n"
WARNS = "#cloud-config\nquux: n1\n"
BAD = "#cloud-config\nhostname: [n1]\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("text", "code"), [(GOOD, 0), (WARNS, 0), (BAD, 1), ("#cloud-config\na: [\n", 2), ("\0", 2)])
def test_exit_codes(here: Path, text: str, code: int) -> None:
    (here / "f").write_text(text)
    assert dispatch(["validate", "f"]) == code


def test_a_finding_is_a_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "f").write_text(BAD)
    dispatch(["validate", "f"])
    shown = capsys.readouterr()
    assert shown.out == "f:2:11 error incorrect type for hostname (want text, got a list) (it is ignored) [type]\n"
    assert shown.err == "1 file, read as coreos: 1 error\n"


def test_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "f").write_text(BAD)
    assert dispatch(["validate", "f", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert {told[key] for key in ("file", "severity", "rule")} == {"f", "error", "type"}
    assert (told["line"], told["column"]) == (2, 11)
    assert "coreos-cloudinit" in told["source"]


IGNITION = '{"ignition": {"version": "3.3.0"}, "storage": {"files": [{"path": "/a", "mode": 644}]}}'
BUTANE = "variant: flatcar\nversion: 1.0.0\nstorage: {files: [{path: /a, mode: 0644}]}\n"
CLOUD_INIT = "#cloud-config\npackages: [vim]\n"


def test_what_a_file_is_for_is_told_and_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"a.yaml": GOOD, "b.yaml": CLOUD_INIT, "c.ign": IGNITION, "d.bu": BUTANE, "index.json": "{}"}
    for name, text in files.items():
        (here / name).write_text(text)
    assert dispatch(["validate", "."]) == 1
    shown = capsys.readouterr()
    assert shown.out.startswith("c.ign:1:81 error mode 644 was meant to be octal")
    assert shown.err == "4 files (1 butane, 1 cloud-init, 1 coreos, 1 ignition): 1 error\n"


def test_a_target_may_be_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "f").write_text(CLOUD_INIT)
    assert dispatch(["validate", "f", "--target", "coreos", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["target"], told["severity"]) == ("coreos", "warning")
    assert dispatch(["validate", "f", "--target", "ignition"]) == 2


def test_strict(here: Path) -> None:
    (here / "f").write_text(WARNS)
    assert dispatch(["validate", "f", "--strict"]) == 1


def test_a_folder(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a").mkdir()
    for name, text in {"x.yml": GOOD, "a/user-data": BAD, "odd": WARNS, "README": "hi", ".hidden.yml": BAD}.items():
        (here / name).write_text(text)
    (here / "broken.yml").symlink_to("nowhere")
    assert dispatch(["validate", "."]) == 1
    shown = capsys.readouterr()
    assert [line.split(":")[0] for line in shown.out.splitlines()] == ["a/user-data", "odd"]
    assert shown.err == "3 files, read as coreos: 1 error, 1 warning\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere"], "cannot read the file"),
        (["."], "no user-data in this folder"),
        (["/dev/null"], "not a regular file"),
        (["f", "--platform", "ec3"], "did you mean 'ec2'?"),
        (["f", "--target", "ignitoin"], "did you mean 'ignition'?"),
    ],
)
def test_bad_input(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["validate", *words]) == 2
    assert says in "".join(capsys.readouterr())


def test_one_unreadable_file_does_not_hide_the_others(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.yml").write_bytes(b"\xff")
    (here / "b.yml").write_text(BAD)
    assert dispatch(["validate", "."]) == 2
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_names_and_values_cannot_steer_the_terminal(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "a\x1b[31m\nb.yml"
    (here / name).write_bytes(b'#cloud-config\n"k\\x1b[2J\\n": 1\n')
    dispatch(["validate", name])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert len(out.splitlines()) == 1


def test_a_huge_file_is_not_read_whole(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (here / "f").open("wb") as stream:
        os.truncate(stream.fileno(), 100 << 20)
    assert dispatch(["validate", "f"]) == 2
    assert "more than 10 MiB" in capsys.readouterr().out
