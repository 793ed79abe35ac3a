"""What heal is wired from: times, leases, and its words when there is nothing to heal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from coreops.cli._healing import REASON, Leases, seconds
from coreops.errors import InputError
from coreops.upgrade.ledger.book import Book
from coreops.upgrade.ledger.holder import Holder
from coreops.upgrade.ledger.protocol import Busy
from tests.support.ledger import Memory

HOSTS = ("n1", "n2")


def holder(run: str) -> Holder:
    return Holder(run, f"{run}@here", 1, "", run)


def leases(places: Memory, run: str) -> Leases:
    return Leases(Book(places, holder(run)), run, HOSTS)


def test_times() -> None:
    assert [seconds(text) for text in ("90s", "10m", "2h")] == [90.0, 600.0, 7200.0]
    for text in ("10", "m", "0m", "-1m", "1d", "1m "):
        with pytest.raises(InputError):
            seconds(text)


def test_what_an_upgrade_has_in_hand_is_not_ours() -> None:
    places = Memory()
    upgrade = Book(places, holder("upgrade"))
    upgrade.acquire("n1", reason="upgrade")
    mine = leases(places, "heal-1")
    assert list(mine.held()) == ["n1"]
    with pytest.raises(Busy), mine.taken(["n2", "n1"]):
        pytest.fail("n1 is leased")
    upgrade.release("n1")
    assert mine.held() == {}
    upgrade.acquire("@rollout", reason="upgrade")
    assert list(mine.held()) == ["n1", "n2"]


def test_an_upgrade_keeps_off_what_is_being_healed() -> None:
    places = Memory()
    mine, upgrade = leases(places, "heal-1"), Book(places, holder("upgrade"))
    with mine.taken(["n1"]):
        assert mine.held() == {}
        with pytest.raises(Busy):
            upgrade.acquire("n1", reason="upgrade")
        with pytest.raises(Busy), leases(places, "heal-2").taken(["n1"]):
            pytest.fail("somebody heals it")
    assert upgrade.acquire("n1", reason="upgrade").run == "upgrade"


def test_a_heal_that_died_is_in_nobody_s_way() -> None:
    places = Memory()
    Book(places, holder("heal-0")).acquire("n1", reason=REASON)
    mine = leases(places, "heal-1")
    assert list(mine.held()) == ["n1"]
    places.beats.clear()
    assert mine.held() == {}
    with mine.taken(["n1"]):
        assert mine.held() == {}


def test_without_a_store_there_is_nothing_to_heal(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {n1: {}}}\n")
    for words, said in ((("heal",), "there is nothing to heal"), (("nodes", "--watch"), "there is no registry")):
        command = [sys.executable, "-c", "from coreops.cli import main; main()", *words, "-i", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 2
        assert said in done.stderr
