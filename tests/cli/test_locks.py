"""``coreops locks`` and ``coreops deny`` over a ledger in memory."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from coreops.cli._dispatch import dispatch
from coreops.upgrade.ledger import connect
from coreops.upgrade.ledger.book import Book
from coreops.upgrade.protocol import ROLLOUT
from tests.support.ledger import Memory, holder


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Memory:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {n1: {ansible_connection: local}, n2: {}}}\n")
    monkeypatch.setenv("COREOPS_INVENTORY", str(tmp_path))
    made = Memory()
    monkeypatch.setattr(connect, "open_ledger", lambda inventory, holder, *_: Book(made, holder))
    return made


def call(capsys: pytest.CaptureFixture[str], *argv: str, expect: int = 0) -> tuple[str, str]:
    code = dispatch(argv)
    out, err = capsys.readouterr()
    assert code == expect, out + err
    return out, err


def test_list(places: Memory, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "locks", "list")[0] == "nobody holds a lease\n"
    book = Book(places, holder("run-1", "ci@ci-4\x1b[31m"))
    book.acquire(ROLLOUT, reason="upgrade")
    book.acquire("n2", reason="upgrade")
    book.note("n2", "reboot")
    out = call(capsys, "locks", "list")[0]
    assert "\x1b" not in out
    assert [line.split()[0] for line in out.splitlines()] == ["NODE", ROLLOUT, "n2"]
    assert out.splitlines()[2].endswith("alive   reboot")
    found = [json.loads(line) for line in call(capsys, "locks", "list", "--json")[0].splitlines()]
    assert [(lease["node"], lease["run"], lease["phase"]) for lease in found] == [
        (ROLLOUT, "run-1", ""),
        ("n2", "run-1", "reboot"),
    ]


def test_explain(places: Memory, capsys: pytest.CaptureFixture[str]) -> None:
    book = Book(places, holder("run-1"))
    book.acquire(ROLLOUT, reason="upgrade")
    book.acquire("n1", reason="upgrade", boot_id="another boot")
    assert "coreops abort run-1" in call(capsys, "locks", "explain", ROLLOUT)[0]
    places.beats.clear()
    out = call(capsys, "locks", "explain", ROLLOUT)[0]
    assert "the rollout: leased by ci@ci-4 (run run-1, process 4711, token 1)" in out
    assert re.search(r"It has been silent for \d+ s\.", out)
    assert "on ci@ci-4: coreops resume run-1" in out
    assert call(capsys, "locks", "explain", "n2")[0] == "nobody holds n2\n"
    assert "no host is named 'n22'" in call(capsys, "locks", "explain", "n22", expect=2)[1]


@pytest.mark.parametrize("options", [[], ["--force"], ["--reason", "x"], ["--force", "--reason", " "]])
def test_release_wants_force_and_a_reason(
    options: list[str], places: Memory, capsys: pytest.CaptureFixture[str]
) -> None:
    Book(places, holder("run-1")).acquire("n2", reason="r")
    assert "is not taken from its holder without" in call(capsys, "locks", "release", "n2", *options, expect=4)[1]
    assert "n2" in call(capsys, "locks", "list")[0]


def test_release_is_recorded_and_fences_the_holder(places: Memory, capsys: pytest.CaptureFixture[str]) -> None:
    book = Book(places, holder("run-1"))
    book.acquire(ROLLOUT, reason="r")
    out, err = call(capsys, "locks", "release", ROLLOUT, "--force", "--reason", "burnt\ndown")
    assert "It is alive" in err
    assert "the node refuses what ci@ci-4 may still send" in out
    assert [lost.node for lost in book.renew()] == [ROLLOUT]
    assert f"force-release  {ROLLOUT}" in call(capsys, "locks", "audit")[0]
    record = json.loads(call(capsys, "locks", "audit", "--json")[0])
    assert (record["what"], record["reason"], record["had"]["run"]) == ("force-release", "burnt\ndown", "run-1")
    assert "nobody holds" in call(capsys, "locks", "release", ROLLOUT, "--force", "--reason", "x", expect=2)[1]


def test_a_store_that_does_not_answer(places: Memory, capsys: pytest.CaptureFixture[str]) -> None:
    places.down = {"memory"}
    for words in (["locks", "list"], ["deny", "list"], ["deny", "add", "1", "--reason", "x"], ["locks", "audit"]):
        call(capsys, *words, expect=3)


def test_deny(places: Memory, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "deny", "list")[0] == "no version is denied\n"
    call(capsys, "deny", "add", "1.1.0", "--reason", "loses the disk")
    assert "1.1.0  denied" in call(capsys, "deny", "list")[0]
    assert json.loads(call(capsys, "deny", "list", "--json")[0])["reason"] == "loses the disk"
    assert "did you mean '1.1.0'" in call(capsys, "deny", "clear", "1.1.1", expect=2)[1]
    assert "may be installed again" in call(capsys, "deny", "clear", "1.1.0", "--reason", "fixed")[0]
    assert call(capsys, "deny", "list", "--json")[0] == ""
    call(capsys, "deny", "add", " ", "--reason", "x", expect=2)
    call(capsys, "deny", "add", "1.1.0; reboot", "--reason", "x", expect=2)
    call(capsys, "deny", "add", "1.1.0", "--reason", " ", expect=2)
    call(capsys, "deny", "add", "1.1.0", expect=2)
