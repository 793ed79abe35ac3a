from __future__ import annotations

import json
from pathlib import Path

import pytest

from coreops.cli._dispatch import dispatch

ROOT = Path(__file__).parents[2]


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = dispatch([*argv])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_machines_are_told_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "lab", "vagrant", str(ROOT / "vagrant/lab.yml"))
    told = json.loads(out)
    assert code == 0
    assert [machine["name"] for machine in told["machines"]] == ["core-01", "core-02", "core-03"]
    assert told["network"] == "172.17.8.0/24"


def test_a_bad_knob_is_told_with_file_and_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "lab.yml").write_text("instances: 3\nmemroy: 512\n")
    code, out, err = run(capsys, "lab", "vagrant", str(tmp_path / "lab.yml"), "--write", str(tmp_path / "inventory"))
    assert (code, out) == (2, "")
    assert "lab.yml:2:1: unknown knob 'memroy'" in err
    assert "did you mean 'memory'?" in err
    assert not (tmp_path / "inventory").exists()


def test_a_missing_file_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = run(capsys, "lab", "vagrant", str(tmp_path / "lab.yml"))
    assert code == 2
    assert "No such file" in err


def test_what_is_written_renders_for_every_reader(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "lab.yml").write_text("instances: 2\n")
    run(capsys, "lab", "vagrant", str(tmp_path / "lab.yml"), "--write", str(tmp_path / "inventory"))
    for target in ("coreos", "cloud-init", "ignition"):
        words = ("render", "-i", str(tmp_path / "inventory"), "-t", target, "-p", "vagrant", "core-02")
        code, out, err = run(capsys, *words)
        assert code == 0, err
        assert "172.17.8.102/24" in out
        assert "52:54:ac:11:08:66" in out


def test_a_box_is_of_a_reader_that_there_is(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = run(capsys, "lab", "box", "--user-data", "ignitoin", "-o", str(tmp_path / "x.box"))
    assert code == 2
    assert "did you mean 'ignition'?" in err
    assert list(tmp_path.iterdir()) == []


def test_a_box_can_be_looked_at(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "x.box").write_text("")
    code, _, err = run(capsys, "lab", "box", "--check", str(tmp_path / "x.box"))
    assert code == 2
    assert "not a Vagrant box" in err
