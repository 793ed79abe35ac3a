"""``coreops units`` on the command line, as far as it goes without nodes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coreops.cli._dispatch import dispatch
from coreops.errors import InputError
from tests.units.texts import WEB

BAD = "[Service]\nExecStart=/usr/bin/docker run -d --privileged -v /\x1b[31m:/x x\n[X-Fleet]\nMachineOf=db.service\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "web@.service").write_text(WEB)
    (tmp_path / "bad.service").write_text(BAD)
    (tmp_path / "wrong.service").write_text("[X-Fleet]\nMachineID=a\nGlobal=true\n")
    (tmp_path / "hosts.yml").write_text("all:\n  hosts:\n    n1: {ansible_host: 127.0.0.1}\n")
    return tmp_path


def test_convert(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["units", "convert", "web@1..3.service", "--to", "swarm"]) == 0
    said = capsys.readouterr()
    (service,) = json.loads(said.out)
    assert service["Mode"] == {"Replicated": {"Replicas": 3}}
    assert "note: --name: Swarm names its containers itself" in said.err
    assert "lost" not in said.err


def test_what_is_lost_is_refused_unless_it_is_allowed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["units", "convert", "bad.service", "--to", "swarm"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "bad.service:2: lost: --privileged: " in said.err
    assert "bad.service:4: lost: MachineOf=db.service: " in said.err
    assert "[docker-detached]" in said.err
    assert "2 keys would be lost on the way to swarm" in said.err
    assert dispatch(["units", "convert", "bad.service", "--to", "swarm", "--allow-loss", "--json"]) == 0
    said = capsys.readouterr()
    assert len(json.loads(said.out)) == 1
    kinds = [json.loads(line)["kind"] for line in said.err.splitlines()]
    assert set(kinds) == {"trap", "note", "lost"}
    assert "\x1b" not in said.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["convert", "web@1.service", "--to", "swarn"], "did you mean 'swarm'?"),
        (["convert", "web@1.service", "--to", "swarm", "--machine", "x"], "not ID=HOST"),
        (["convert", "wrong.service", "--to", "swarm"], "wrong.service:3: MachineID cannot be used with Global"),
        (["start", "wrong.service", "-i", "hosts.yml"], "wrong.service:3: MachineID cannot be used with Global"),
        (["start", "web@1.service", "-i", "hosts.yml"], "the inventory has no scheduler"),
        (["stop", "web@1", "-i", "hosts.yml", "--patience", "soon"], "--patience is not usable"),
        (["status"], "no inventory is named"),
        (["submit", "missing/a.service", "-i", "hosts.yml"], "cannot read the unit"),
        (["destroy", "a b", "-i", "hosts.yml"], "not the name of a unit"),
    ],
)
def test_bad_input(folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert dispatch(["units", *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["submit", "start", "stop", "status", "destroy"])
def test_the_sudo_password_is_asked_for_once(folder: Path, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    seen: list[object] = []

    def need(inventory: object, connection: dict[str, object], path: object) -> None:
        seen.append(connection["become_password"])
        raise InputError("far enough")

    monkeypatch.setattr("coreops.cli._run._ask_password", lambda: "geheim")
    monkeypatch.setattr("coreops.schedulers.settings.need", need)
    assert dispatch(["units", verb, "web@1.service", "-i", "hosts.yml", "-K"]) == 2
    assert dispatch(["units", verb, "web@1.service", "-i", "hosts.yml"]) == 2
    assert seen == ["geheim", None]
