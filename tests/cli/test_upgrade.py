"""The commands about upgrades, as far as no node is needed: bad input is one clear error, and nothing is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from coreops.cli._dispatch import dispatch
from coreops.cli._rollout import rate
from coreops.errors import InputError
from coreops.upgrade.channel.publish import init, publish
from coreops.upgrade.planning.request import Request
from coreops.upgrade.running.runs import Log

BOARD = "amd64-usr"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    image = tmp_path / "usr.img"
    image.write_bytes(b"usr" * 1000)
    pin = init(tmp_path / "repo", tmp_path / "keys")
    publish(tmp_path / "repo", tmp_path / "keys", image, version="1.1.0", channel="stable", board=BOARD)
    return pin.root


@pytest.fixture
def work(tmp_path: Path, shop: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an inventory whose only host nobody can reach, and a real channel."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COREOPS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("COREOPS_INVENTORY", raising=False)
    known = {"upgrade_channel": "stable", "upgrade_repository": str(tmp_path / "repo"), "upgrade_root": str(shop)}
    host = {"ansible_host": "127.0.0.1", "ansible_port": 9, "zone": "z1"}
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"vars": known, "hosts": {"n1": host}}}))
    return folder


def upgrade(*flags: str) -> int:
    return dispatch(["upgrade", "hosts.yml", "--yes", *flags])


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--channel", "stabel"), "did you mean 'stable'?"),
        (("--zone", "z9"), "unknown zone 'z9'"),
        (("--max-unavailable", "0"), "max-unavailable"),
        (("--max-unavailable", "some"), "max-unavailable"),
        (("--window", "Sat 02:00-02:00"), "can never open"),
        (("--window", "Sat 02:00-05:00 Mars/Base"), "Mars/Base"),
        (("--soak", "long"), "soak"),
        (("--root", "nowhere.json"), "no pinned root of trust"),
        (("--repository", "nowhere"), "nowhere"),
        (("--limit-rate", "fast"), "is not a rate"),
        (("--version", ""), "'' is not a version"),
        (("--report", "nowhere/out.html"), "its folder does not exist"),
        (("--report", "."), "it is a folder"),
        (("--version", "1.1.0; rm -rf /"), "is not a version"),
        (("--window", ""), "--window: '' is not usable"),
        (("--limit", "n9"), "n9"),
        (("--playbook", "missing.yml"), "missing.yml"),
        (("--transport", "pigeon"), "unknown transport"),
    ],
)
def test_bad_input_is_exit_2_and_touches_nothing(
    work: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], words: str
) -> None:
    assert upgrade(*flags) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert "Traceback" not in said.err
    assert not list(work.glob(".coreops/runs/*/rollout.jsonl"))


def test_a_malformed_hook_has_its_place(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "hooks.yml").write_text("- hosts: all\n  tasks:\n    - command: echo hi\n      tags: [before_drian]\n")
    assert upgrade("--playbook", "hooks.yml") == 2
    assert "did you mean 'before_drain'?" in capsys.readouterr().err


def test_nobody_to_ask_is_exit_2(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["upgrade", "hosts.yml"]) == 2
    assert "--yes" in capsys.readouterr().err


def test_a_tampered_repository_is_refused(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "repo/metadata/timestamp.json"
    path.write_text(path.read_text().replace('"version": 2', '"version": 3').replace('"version":2', '"version":3'))
    assert upgrade() == 4


def test_a_fleet_that_nobody_can_reach_is_exit_3(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert upgrade("--dry-run") == 3
    assert dispatch(["audit", "-i", "hosts.yml"]) == 3
    assert dispatch(["status", "-i", "hosts.yml", "--json"]) == 3
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "n1" in found["hosts"]


@pytest.mark.parametrize("argv", [["rollback"], ["rollback", "n1", "--all"], ["rollback", "n1"], ["audit"], ["resume"]])
def test_half_a_command_is_exit_2(work: Path, argv: list[str]) -> None:
    assert dispatch(argv) == 2


def test_what_lives_is_not_resumed_and_why_asks_it(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = work / ".coreops/runs/20260101-000000000-abcd"
    folder.mkdir(parents=True)
    log = Log(folder)
    log.write({"request": Request(inventory="hosts.yml").written()})
    log.tell(lambda: {"nodes": {"n1": {"phase": "gate", "why": "waits for the window"}}})
    assert dispatch(["resume", "abcd", "--yes"]) == 2
    assert "still at it" in capsys.readouterr().err
    assert dispatch(["why", "n1"]) == 0
    assert "n1: waits for the window" in capsys.readouterr().out
    log.close()
    assert dispatch(["resume", "abcd", "--yes"]) == 3, "then it is looked at anew, and here nobody answers"


def test_rates_are_read() -> None:
    assert [rate(text) for text in (None, "500", "10k", "10M", "1G")] == [None, 500, 10 << 10, 10 << 20, 1 << 30]
    for text in ("0", "-1", "M", "1.5M"):
        with pytest.raises(InputError):
            rate(text)


def test_a_rehearsal_reaches_nobody_and_is_the_same_every_time(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ("--rehearse", "3", "--nodes", "20", "--max-unavailable", "10%", "--report", "out.html")
    assert upgrade(*flags, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["runs"], found["nodes"]) == (3, 20)
    assert upgrade(*flags) == 0
    assert "3 rollouts of 20 nodes" in capsys.readouterr().out
    assert "<script" not in (work / "out.html").read_text()
    assert upgrade("--seed", "7") == 0
    once = capsys.readouterr().out
    assert upgrade("--seed", "7", "--repository", "nowhere") == 0, "no channel is needed to rehearse"
    assert [line.split()[1:] for line in capsys.readouterr().out.splitlines()[:9]] == [
        line.split()[1:] for line in once.splitlines()[:9]
    ]
    assert not list(work.glob(".coreops/runs/*"))


def test_a_run_that_nobody_knows_is_no_reason_to_upgrade() -> None:
    from types import SimpleNamespace as Made
    from typing import Any

    from coreops.cli._rollout import _must_be_known
    from coreops.errors import InputError

    prepared: Any = Made(seen={"n1": Made(ticket=Made(run="r1")), "n2": Made(ticket=None)})
    ledger: Any = Made(held=lambda: (Made(run="r2"),))
    for run in ("r1", "r2"):
        _must_be_known(run, prepared, ledger)
    with pytest.raises(InputError, match="nobody knows a run 'r'"):
        _must_be_known("r", prepared, ledger)
