"""Every Do is answered once, with the kind of failure the coordinator can decide on; leases are kept alive."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from coreops.errors import CoreopsError, HostFailed, RefusedError, UnreachableError
from coreops.model import Record
from coreops.upgrade.cluster.actions import ACTIONS
from coreops.upgrade.cluster.cluster import Cluster, answer
from coreops.upgrade.cluster.nodes import StepFailed
from coreops.upgrade.guard import FENCED, REBOOTED
from coreops.upgrade.ledger.protocol import Busy, Lease
from coreops.upgrade.plan import Patience
from coreops.upgrade.protocol import ROLLOUT, Action, Did, Do, Failed, LeaseLost

DO = Do("n1", Action.SURVEY, 5)
LEASE = Lease(node="n1", run="r0", owner="me@here")


class Bare:
    """As much of a world as these tests need."""

    def __init__(self) -> None:
        self.nodes = self
        self.ledger: Any = self
        self.hung_up: list[str] = []
        self.seen: dict[str, Any] = {}
        self.unheard: frozenset[str] = frozenset()
        self.rebooting: frozenset[str] = frozenset()
        self.patience = Patience(silence=0.05)

    def hang_up(self, node: str) -> None:
        self.hung_up.append(node)

    def expects(self, nodes: frozenset[str]) -> bool:
        return bool(nodes) and nodes <= self.rebooting


def test_there_is_a_way_to_do_every_action() -> None:
    assert set(ACTIONS) == set(Action)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (StepFailed("x", Record("s", "failed", rc=REBOOTED), where="n1"), "rebooted"),
        (StepFailed("x", Record("s", "failed", rc=FENCED), where="n1"), "fenced"),
        (StepFailed("x", Record("s", "failed", rc=1), where="n1"), "failed"),
        (UnreachableError("host key", "another key"), "identity"),
        (UnreachableError("lost", "lost"), "unreachable"),
        (UnreachableError("auth", "no key was accepted"), "unreachable"),
        (Busy(LEASE), "busy"),
        (RefusedError("no"), "failed"),
        (HostFailed("no"), "failed"),
        (CoreopsError("no"), "failed"),
    ],
)
def test_errors_have_the_protocols_kinds(error: CoreopsError, kind: str) -> None:
    assert (answer(DO, error).kind, answer(DO, error).serial) == (kind, 5)


def test_the_why_has_the_words_of_both() -> None:
    assert answer(DO, HostFailed("it failed", why="disk full")).why == "it failed: disk full"


def carry(monkeypatch: pytest.MonkeyPatch, how: Any) -> Any:
    world = Bare()
    monkeypatch.setitem(ACTIONS, Action.SURVEY, how)  # type: ignore[arg-type]
    made = Cluster(world)  # type: ignore[arg-type]
    made.send(DO)
    return made.answers.get(timeout=60)


def test_an_answer_an_error_and_a_bug_all_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> Did:
        raise HostFailed("no")

    def bug(*_: object) -> Did:
        raise KeyError("ours")

    assert carry(monkeypatch, lambda world, do, note: Did(do.node, do.serial)) == Did("n1", 5)
    assert carry(monkeypatch, fails) == Failed("n1", 5, "no")
    assert isinstance(carry(monkeypatch, bug), KeyError)


def test_what_was_given_up_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    go, world = threading.Event(), Bare()

    def slow(world: object, do: Do, note: str) -> Did:
        go.wait(60)
        return Did(do.node, do.serial)

    monkeypatch.setitem(ACTIONS, Action.SURVEY, slow)  # type: ignore[arg-type]
    made = Cluster(world)  # type: ignore[arg-type]
    made.send(DO)
    made.send(Do("n1", Action.SURVEY, 6))
    assert world.hung_up == ["n1"]
    go.set()
    assert [made.answers.get(timeout=60), made.answers.get(timeout=60)] == [Did("n1", 5), Did("n1", 6)]


def test_lost_leases_are_told_and_a_ledger_that_stays_silent_is_a_loss() -> None:
    world, asked = Bare(), iter([(LEASE,), (), UnreachableError("lost", "no store")])
    last: Any = None

    def renew() -> Any:
        nonlocal last
        last = next(asked, last)
        if isinstance(last, Exception):
            raise last
        return last

    world.renew = renew  # type: ignore[attr-defined]
    made = Cluster(world)  # type: ignore[arg-type]
    made.keep_alive()
    first, second = made.answers.get(timeout=60), made.answers.get(timeout=60)
    made.close()
    assert isinstance(first, LeaseLost)
    assert first.node == "n1"
    assert isinstance(second, LeaseLost)
    assert second.node == ROLLOUT
    assert "no store" in second.why


def test_a_ledger_on_the_node_that_reboots_may_be_silent_until_it_is_back() -> None:
    world, enough = Bare(), threading.Semaphore(0)

    def renew() -> Any:
        enough.release()
        raise UnreachableError("lost", "it is away")

    world.renew = renew  # type: ignore[attr-defined]
    world.unheard = world.rebooting = frozenset({"n1"})
    made = Cluster(world)  # type: ignore[arg-type]
    made.keep_alive()
    for _ in range(15):
        assert enough.acquire(timeout=60)
    assert made.answers.empty()
    world.rebooting = frozenset()
    assert made.answers.get(timeout=60).node == ROLLOUT  # type: ignore[union-attr]
    made.close()
