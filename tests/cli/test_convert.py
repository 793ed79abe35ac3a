"""``coreops convert``: result on stdout, report on stderr, nothing half-written, exit codes."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
import yaml

from coreops.cli._dispatch import dispatch

DOCUMENT = """\
#cloud-config
hostname: n1
bogus: 1
coreos:
  fleet: {metadata: a=b}
write_files:
  - {path: /a, content: $private_ipv4}
"""
ADDRESS = ("--address", "private_ipv4=10.0.0.1")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("user-data").write_text(DOCUMENT)
    return "user-data"


def test_result_and_report(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["convert", file, "--to", "cloud-init", "--allow-loss", *ADDRESS]) == 0
    out, err = capsys.readouterr()
    assert yaml.safe_load(out) == {"hostname": "n1", "write_files": [{"path": "/a", "content": "10.0.0.1"}]}
    assert "ignored: bogus (user-data:3:1) -- coreos-cloudinit never read it\n" in err
    assert "lost: coreos.fleet.metadata (user-data:5:11)" in err


def test_losses_are_refused(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["convert", file, "--to", "butane", *ADDRESS, "-o", "out"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "1 key would be lost on the way to butane" in err
    assert "--allow-loss" in err
    assert not Path("out").exists()


def test_a_file_that_is_written(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("out").write_text("old")
    assert dispatch(["convert", file, "--to", "ignition", "--allow-loss", *ADDRESS, "-o", "out"]) == 0
    assert capsys.readouterr().out == ""
    assert json.loads(Path("out").read_text())["ignition"]["version"] == "3.3.0"
    assert Path("out").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in Path().iterdir()) == ["out", "user-data"]


@pytest.mark.parametrize(("to", "spec", "version"), [("ignition", "3.4.0", "3.4.0"), ("butane", "3.4.0", "1.1.0")])
def test_specs(file: str, capsys: pytest.CaptureFixture[str], to: str, spec: str, version: str) -> None:
    assert dispatch(["convert", file, "--to", to, "--spec", spec, "--allow-loss", *ADDRESS]) == 0
    assert version in capsys.readouterr().out


def test_stdin_and_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(DOCUMENT.encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert dispatch(["convert", "-", "--to", "coreos", "--allow-loss", "--json", *ADDRESS]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("#cloud-config\n")
    lines = [json.loads(line) for line in err.splitlines()]
    assert {"kind": "ignored", "key": "bogus", "file": "<stdin>", "line": 3, "column": 1} in [
        {key: line.get(key) for key in ("kind", "key", "file", "line", "column")} for line in lines
    ]
    assert [line["key"] for line in lines if line["kind"] == "lost"] == ["coreos.fleet.metadata"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--to", "ignitoin"], "did you mean 'ignition'"),
        (["--to", "ignition", "--spec", "2.3.0"], "3.3.0, 3.4.0"),
        (["--to", "cloud-init", "--spec", "3.3.0"], "--spec is for ignition and butane"),
        (["--to", "ignition", "--platform", "ecs2"], "did you mean 'ec2'"),
        (["--to", "ignition", "--address", "privat_ipv4=1"], "did you mean 'private_ipv4'"),
        (["--to", "ignition", "--address", "private_ipv4=1"], "no address"),
        (["--to", "ignition", "--address", "private_ipv4=::1"], "address of IPv6"),
        (["--to", "ignition", *ADDRESS, "--address", "private_ipv4=10.0.0.2"], "given twice"),
        (["--to", "ignition"], "user-data:7:25: nobody knows $private_ipv4"),
        (["--to", "coreos", "--allow-loss", *ADDRESS, "-o", "."], "not a regular file"),
        (["--to", "coreos", "--allow-loss", *ADDRESS, "-o", "user-data"], "the file that is read"),
        (["--to", "coreos", "--allow-loss", *ADDRESS, "-o", "no/where"], "cannot write the file"),
    ],
)
def test_bad_input(file: str, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    assert dispatch(["convert", file, *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert Path(file).read_text() == DOCUMENT
    assert [path.name for path in Path().iterdir()] == ["user-data"]


@pytest.mark.parametrize("name", ["missing", ".", "a\0b"])
def test_files_that_cannot_be_read(file: str, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert dispatch(["convert", name, "--to", "coreos"]) == 2
    assert capsys.readouterr().out == ""


def test_hostile_texts_steer_no_terminal(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(file).write_text('#cloud-config\n"\\e[31mred\\nlost: x": 1\n')
    assert dispatch(["convert", file, "--to", "coreos"]) == 0
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert len(err.splitlines()) == 2
