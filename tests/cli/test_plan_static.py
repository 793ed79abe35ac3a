"""``coreops plan`` asks machines that coreops does not make: this one, under two names, and one that is not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coreops.cli._dispatch import dispatch
from tests.support.ports import free_port

INVENTORY = """\
all:
  vars: {{cluster: prod}}
  hosts:
    here: {{ansible_connection: local}}
    there: {{ansible_host: 127.0.0.1, ansible_port: {port}}}
    twin: {{ansible_connection: "{{{{ 'local' }}}}"}}
"""
HAS_ID = Path("/etc/machine-id").exists() and Path("/etc/machine-id").read_text().strip()


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("COREOPS_INVENTORY", raising=False)
    path = tmp_path / "hosts.yml"
    path.write_text(INVENTORY.format(port=free_port()))
    return path


def test_nobody_is_asked_without_need(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["plan", str(inventory), "--no-connect"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["keep"] * 3


def test_who_is_there_is_told(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["plan", str(inventory), "--limit", "here"]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("reachable  here  ")
    assert shown.err.splitlines()[-1] == "machines: 1 reachable"


def test_who_is_not_there_is_told_with_the_reason(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["plan", str(inventory), "--limit", "here:there", "--json"]) == 3
    shown = capsys.readouterr()
    told = {each["node"]: each for each in map(json.loads, shown.out.splitlines())}
    assert told["here"]["action"] == "reachable"
    assert told["there"]["action"] == "unreachable"
    assert "refused" in told["there"]["why"]
    assert "coreops: there: " in shown.err


@pytest.mark.skipif(not HAS_ID, reason="needs /etc/machine-id")
def test_one_machine_under_two_names_is_told(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["plan", str(inventory), "--limit", "here:twin"]) == 1
    shown = capsys.readouterr().out
    assert [line.split()[:2] for line in shown.splitlines()] == [["duplicate", "here"], ["duplicate", "twin"]]
    assert f"here ({inventory}:4:5) and twin ({inventory}:6:5)" in shown
    assert "one machine under two names" in shown
