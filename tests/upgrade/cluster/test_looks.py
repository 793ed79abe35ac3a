"""Who is asked for the store: one member while all is well, every one that answers when it is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from coreops.errors import CoreopsError, UnreachableError
from coreops.model import Record, ShellStep
from coreops.store.cluster import Member
from coreops.upgrade.cluster import looks
from coreops.upgrade.observation import Health, Observation, StoreView

NAMES = ("n1", "n2", "n3")
ALL = frozenset(NAMES)
MEMBERS = [Member(name, f"10.0.0.{n}") for n, name in enumerate(NAMES, 1)]
WELL = StoreView(voters=ALL, healthy=ALL, leader="n2")
ALONE = StoreView(voters=ALL, healthy=frozenset(), leader=None)
MOST = StoreView(voters=ALL, healthy=frozenset({"n2", "n3"}), leader="n2")


class Driver:
    def survey(self) -> ShellStep:
        return ShellStep(id="survey", title="look", probe="true")

    def read(self, record: Record) -> Observation:
        return Observation(
            machine_id="m", boot_id="b", version="1.0.0", board="", slot="A", passive="B", good=True, next="A"
        )


class Nodes:
    """Answers as it is told; ``asked``: which hosts were asked for the store, exchange by exchange."""

    def __init__(self, silent: Sequence[str] = ()) -> None:
        self.silent = silent
        self.asked: list[set[str]] = []

    def ask_all(self, steps: Mapping[str, Sequence[ShellStep]]) -> dict[str, dict[str, Record] | CoreopsError]:
        self.asked.append({host for host, own in steps.items() if any(step.id == "health" for step in own)})
        found: dict[str, dict[str, Record] | CoreopsError] = {}
        for host, own in steps.items():
            if host in self.silent:
                found[host] = UnreachableError("lost", "no answer", where=host)
            else:
                found[host] = {step.id: Record(step.id, "ok") for step in own}
        return found


def look(monkeypatch: pytest.MonkeyPatch, nodes: Nodes, views: Mapping[str, StoreView]) -> dict[str, looks.Look]:
    class Gates:
        def __init__(self, *about: Any) -> None: ...

        def steps(self, node: str, moment: str) -> list[ShellStep]:
            return [ShellStep(id="health", title="ask", probe="true")]

        def judge(self, node: str, moment: str, records: Mapping[str, Record]) -> Health:
            assert records["health"].state == "ok"
            return Health(store=views[node])

    monkeypatch.setattr(looks, "GateSet", Gates)
    return looks.look_at_all(nodes, Driver(), (*NAMES, "w1"), MEMBERS)  # type: ignore[arg-type]


def test_one_member_speaks_for_a_store_that_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = Nodes()
    found = look(monkeypatch, nodes, {"n1": WELL})
    assert nodes.asked == [{"n1"}]
    assert looks.store_of(found) == WELL
    assert all(each.seen for each in found.values())


def test_the_others_are_asked_when_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = Nodes()
    found = look(monkeypatch, nodes, {"n1": ALONE, "n2": MOST, "n3": MOST})
    assert nodes.asked == [{"n1"}, {"n2", "n3"}]
    assert looks.store_of(found) == MOST


def test_the_others_are_asked_when_the_first_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = Nodes(silent=["n1", "n3"])
    found = look(monkeypatch, nodes, {"n2": MOST})
    assert nodes.asked == [{"n1"}, {"n2"}]
    assert looks.store_of(found) == MOST
    assert found["n1"].error is not None


def test_without_a_store_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = Nodes()
    found = looks.look_at_all(nodes, Driver(), NAMES, ())  # type: ignore[arg-type]
    assert nodes.asked == [set()]
    assert looks.store_of(found) is None
