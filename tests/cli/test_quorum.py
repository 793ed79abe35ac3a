"""What it costs the store when machines go: the rule, and the commands that ask for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from coreops.cli import _quorum
from coreops.cli._dispatch import dispatch
from coreops.cli._quorum import View, judged
from coreops.errors import RefusedError
from coreops.model import Record
from coreops.upgrade.cluster.asking import Asking
from tests.cli.test_provision import change, here, machines, rows  # noqa: F401

STORE = """
  children:
    store:
      hosts: {n1: , n2: , n3: }
"""
ALL = frozenset({"n1", "n2", "n3"})


@pytest.fixture
def store(here: Path, monkeypatch: pytest.MonkeyPatch) -> list[View]:  # noqa: F811
    """The three hosts are members; etcd answers with the last view."""
    path = here / "inv" / "hosts.yml"
    path.write_text(path.read_text() + STORE.removeprefix("\n"))
    views = [View(ALL, ALL)]
    monkeypatch.setattr(_quorum, "ask", lambda source, strays: views[-1])
    assert dispatch(["provision", "inv"]) == 0
    return views


def test_the_rule() -> None:
    assert "keeps its quorum without n1: 2 of 3 are well, 2 are needed" in judged(View(ALL, ALL), ["n1"])
    assert judged(View(ALL, ALL - {"n1"}), ["n1"]), "one that is down costs nothing"
    assert judged(View(frozenset(), frozenset()), ["n1"]) == "", "there is no store yet"
    assert judged(View(ALL, ALL), ["w1"]) == ""
    for healthy, gone in ((ALL - {"n2"}, ["n1"]), (ALL, ["n1", "n2"]), (frozenset(), ["n3"])):
        with pytest.raises(RefusedError, match="lose its quorum"):
            judged(View(ALL, frozenset(healthy)), gone)


def test_power(here: Path, store: list[View], capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    assert dispatch(["power", "off", "n1", "-i", "inv"]) == 0
    shown = capsys.readouterr()
    assert "the store keeps its quorum without n1" in shown.err
    assert rows(shown.out)[-1] == ["off", "n1"]
    store.append(View(ALL, ALL - {"n1"}))
    for power in ("off", "reset"):
        assert dispatch(["power", power, "n2", "-i", "inv"]) == 4
    assert "--lose-quorum" in capsys.readouterr().err
    assert machines(here)["n2"]["state"] == "running"
    assert dispatch(["power", "on", "n1", "-i", "inv"]) == 0
    assert machines(here)["n1"]["state"] == "running"
    assert dispatch(["power", "reset", "n2", "-i", "inv", "--lose-quorum"]) == 0
    assert dispatch(["power", "of", "n2", "-i", "inv"]) == 2
    assert "did you mean 'off'?" in capsys.readouterr().err
    assert dispatch(["power", "off", "n7", "-i", "inv"]) == 2
    assert dispatch(["power", "off", "metal", "-i", "inv"]) == 1


def test_replace_one(here: Path, store: list[View], capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    before = {node: each["id"] for node, each in machines(here).items()}
    assert dispatch(["provision", "inv", "--replace", "n2", "--yes", "1"]) == 2
    assert "does not differ" in capsys.readouterr().err
    change(here, "size: small", "size: large")
    assert dispatch(["provision", "inv", "--replace", "n2"]) == 4, "nobody has said yes"
    store.append(View(ALL, ALL - {"n3"}))
    assert dispatch(["provision", "inv", "--replace", "n2", "--yes", "1"]) == 4
    assert {node: each["id"] for node, each in machines(here).items()} == before
    store.append(View(ALL, ALL))
    capsys.readouterr()
    assert dispatch(["provision", "inv", "--replace", "n2", "--yes", "1"]) == 0
    shown = capsys.readouterr()
    assert rows(shown.out) == [["created", "n2"]]
    assert "size is small, wanted large" in shown.err
    assert "coreops bootstrap inv takes the new machine into the store" in shown.err
    now = machines(here)
    assert now["n2"]["facts"]["size"] == "large"  # type: ignore[index]
    assert [now[node]["id"] for node in ("n1", "n3")] == [before["n1"], before["n3"]]
    for argv in (["--replace", "n9"], ["--replace", "n1", "--limit", "n1"], ["--replace", "metal"]):
        assert dispatch(["provision", "inv", *argv]) == 2


def test_destroy(here: Path, store: list[View], capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    assert dispatch(["destroy", "inv", "--limit", "n1:n2", "--yes", "2"]) == 4
    assert "would lose its quorum without n1, n2" in capsys.readouterr().err
    assert dispatch(["destroy", "inv", "--limit", "n1", "--yes", "1"]) == 0
    assert "keeps its quorum" in capsys.readouterr().err
    assert dispatch(["destroy", "inv", "--limit", "n2", "--yes", "1", "--lose-quorum"]) == 0
    assert dispatch(["provision", "inv"]) == 0
    capsys.readouterr()
    assert dispatch(["destroy", "inv", "--yes", "3"]) == 0
    assert "the store ends: all of its 3 members go" in capsys.readouterr().err
    assert machines(here) == {}


class TestAsking:
    """What hosts say becomes a view."""

    @pytest.fixture
    def said(self, here: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:  # noqa: F811
        path = here / "inv" / "hosts.yml"
        path.write_text(path.read_text() + STORE.removeprefix("\n"))
        said: dict[str, object] = {}

        def each(self: Asking, steps: dict[str, object]) -> dict[str, object]:
            assert steps.keys() == ALL
            return {
                host: {"store": Record("store", "ok", stdout=answer.encode())} if isinstance(answer, str) else answer
                for host, answer in said.items()
            }

        monkeypatch.setattr(Asking, "each", each)
        return said

    def test_no_etcd_anywhere_is_no_store(self, said: dict[str, object]) -> None:
        said |= dict.fromkeys(ALL, "no etcd\n")
        assert _quorum.ask(Path("inv"), {}) == View(frozenset(), frozenset())

    def test_who_does_not_answer_is_not_known_to_be_well(self, said: dict[str, object]) -> None:
        said |= {"n1": "no etcd\n", "n2": RefusedError("x"), "n3": "no etcd\n"}
        assert _quorum.ask(Path("inv"), {}) == View(ALL, frozenset())

    def test_what_etcd_says(self, said: dict[str, object]) -> None:
        members = ",".join(
            f'{{"ID": {n}, "name": "{name}", "clientURLs": ["https://{name}:2379"]}}'
            for n, name in enumerate(("n1", "n2", "gone"), 1)
        )
        header = '{"header": {"cluster_id": 9, "member_id": %d}, "leader": 1, "raftIndex": 5, "raftAppliedIndex": 5}'
        status = ",".join(f'{{"Status": {header % n}}}' for n in (1, 2))
        health = ",".join(f'{{"endpoint": "https://n{n}:2379", "health": true}}' for n in (1, 2))
        said |= dict.fromkeys(ALL, f'members {{"members": [{members}]}}\nstatus [{status}]\nhealth [{health}]\n')
        assert _quorum.ask(Path("inv"), {"gone": "192.0.2.9"}) == View(
            frozenset({"n1", "n2", "gone"}), frozenset({"n1", "n2"})
        )
