"""What every ledger must do, whatever it stands on."""

from __future__ import annotations

import threading

import pytest

from coreops.errors import ExitCode, InputError
from coreops.upgrade.ledger.protocol import Busy, Lease
from coreops.upgrade.protocol import ROLLOUT
from tests.upgrade.ledger.conftest import HOSTS, Cluster

pytestmark = pytest.mark.slow

HOSTILE = 'it\'s "so"\n$(touch /tmp/x) `x` ü \\n -- %s \x1b[31m 🚀'


def test_one_holder_at_a_time(cluster: Cluster) -> None:
    one, two = cluster.controller("run-1"), cluster.controller("run-2", "eve@laptop")
    lease = one.acquire("n1", reason="upgrade to 1.1.0", boot_id="b-1")
    assert (lease.node, lease.run, lease.owner, lease.boot_id) == ("n1", "run-1", "ci@ci-4", "b-1")
    assert lease.token > 0
    with pytest.raises(Busy) as refused:
        two.acquire("n1", reason="mine")
    assert refused.value.exit_code == ExitCode.REFUSED
    assert refused.value.lease == lease
    assert "n1 is leased by ci@ci-4 (run run-1) since " in str(refused.value)
    assert two.acquire("n2", reason="another node is free").node == "n2"
    assert two.held() == one.held()
    assert [(each.node, each.run, each.alive) for each in one.held()] == [("n1", "run-1", True), ("n2", "run-2", True)]


def test_acquiring_again_is_the_same_lease(cluster: Cluster) -> None:
    one = cluster.controller("run-1")
    assert one.acquire("n1", reason="r") == one.acquire("n1", reason="r")
    one.note("n1", "reboot")
    assert one.acquire("n1", reason="r").phase == "reboot"


def test_release_frees_and_only_what_is_ours(cluster: Cluster) -> None:
    one, two = cluster.controller("run-1"), cluster.controller("run-2")
    first = one.acquire("n1", reason="r")
    two.release("n1")
    assert two.held() == (first,)
    one.release("n1")
    one.release("n1")
    assert one.held() == ()
    assert two.acquire("n1", reason="r").token > first.token


@pytest.mark.parametrize("node", [ROLLOUT, "n1"])
def test_the_token_rises_with_every_acquisition_and_with_nothing_else(cluster: Cluster, node: str) -> None:
    tokens = []
    for number in range(3):
        one = cluster.controller(f"run-{number}")
        tokens.append(one.acquire(node, reason="r").token)
        one.note(node, "drain")
        assert one.renew() == ()
        assert one.held()[0].token == tokens[-1]
        one.release(node)
    assert tokens == sorted(set(tokens))


def test_a_note_tells_others_what_the_holder_does(cluster: Cluster) -> None:
    one, two = cluster.controller("run-1"), cluster.controller("run-2")
    one.acquire("n1", reason="r")
    one.note("n1", "reboot")
    assert two.held()[0].phase == "reboot"
    with pytest.raises(Busy, match="doing: reboot"):
        two.acquire("n1", reason="r")


@pytest.mark.parametrize("node", [ROLLOUT, "n1"])
def test_a_silent_run_is_taken_over_by_name_only(cluster: Cluster, node: str) -> None:
    dead, other = cluster.controller("run-1"), cluster.controller("run-2")
    old = dead.acquire(node, reason="r")
    dead.note(node, "reboot")
    with pytest.raises(Busy, match="still gives signs of life"):
        other.acquire(node, reason="resume", takes_over=frozenset({"run-1"}))
    cluster.silence(dead)
    with pytest.raises(Busy, match="silent for"):
        other.acquire(node, reason="not named", takes_over=frozenset({"run-9"}))
    new = other.acquire(node, reason="resume", takes_over=frozenset({"run-1"}))
    assert new.token > old.token
    assert [(each.run, each.token, each.alive) for each in other.held()] == [("run-2", new.token, True)]


@pytest.mark.parametrize("node", [ROLLOUT, "n1"])
def test_a_controller_that_slept_learns_that_it_lost(cluster: Cluster, node: str) -> None:
    slept, other = cluster.controller("run-1"), cluster.controller("run-2")
    old = slept.acquire(node, reason="r")
    cluster.silence(slept)
    new = other.acquire(node, reason="resume", takes_over=frozenset({"run-1"}))
    slept.note(node, "awake again")
    assert [(each.node, each.token) for each in slept.renew()] == [(node, old.token)]
    assert slept.renew() == ()
    slept.release(node)
    assert [each.token for each in other.held()] == [new.token]
    assert other.renew() == ()


def test_a_lease_that_was_released_and_taken_anew_is_not_ours(cluster: Cluster) -> None:
    one, operator, two = (cluster.controller(run) for run in ("run-1", "locks", "run-2"))
    old = one.acquire("n1", reason="r")
    record = operator.force_release("n1", HOSTILE)
    assert (record.what, record.subject, record.reason) == ("force-release", "n1", HOSTILE)
    assert record.had["run"] == "run-1"
    new = two.acquire("n1", reason="r")
    two.release("n1")
    two.acquire("n1", reason="r")
    assert [lost.token for lost in one.renew()] == [old.token]
    assert old.token < new.token
    assert operator.audit() == (record,)
    assert one.audit() == (record,)


def test_releasing_by_force_what_nobody_holds(cluster: Cluster) -> None:
    one = cluster.controller("run-1")
    one.acquire("n1", reason="r")
    with pytest.raises(InputError, match="did you mean 'n1'"):
        one.force_release("n1x", "r")
    assert one.audit() == ()


def test_the_rollout_by_force(cluster: Cluster) -> None:
    one, operator = cluster.controller("run-1"), cluster.controller("locks")
    one.acquire(ROLLOUT, reason="r")
    operator.force_release(ROLLOUT, "the controller burnt down")
    assert [lost.node for lost in one.renew()] == [ROLLOUT]
    assert operator.held() == ()


@pytest.mark.parametrize("node", HOSTS[-1:])
def test_hostile_names_and_reasons_survive(cluster: Cluster, node: str) -> None:
    one = cluster.controller("run-1", HOSTILE)
    one.acquire(node, reason=HOSTILE, boot_id=HOSTILE)
    one.note(node, HOSTILE)
    [held] = cluster.controller("run-2").held()
    assert (held.node, held.owner, held.reason, held.phase) == (node, HOSTILE, HOSTILE, HOSTILE)
    assert (held.boot_id, len(one.renew())) == (HOSTILE, 0)
    one.release(node)
    assert one.held() == ()


@pytest.mark.parametrize("version", ["1.1.0+build/../x", ".", HOSTILE])
def test_denials(cluster: Cluster, version: str) -> None:
    one, operator = cluster.controller("run-1"), cluster.controller("locks", "amy@desk")
    one.deny(version, "n2", HOSTILE)
    one.deny(version, "n3", "again")
    [denial] = operator.denied()
    assert (denial.version, denial.node, denial.reason) == (version, "n2", HOSTILE)
    assert (denial.by, denial.run) == ("ci@ci-4", "run-1")
    operator.clear_denial(version, "fixed by hand")
    assert operator.denied() == ()
    with pytest.raises(InputError, match="not denied"):
        operator.clear_denial(version)
    assert [(r.what, r.subject, r.by, r.reason) for r in one.audit()] == [
        ("deny", version, "ci@ci-4", HOSTILE),
        ("clear-denial", version, "amy@desk", "fixed by hand"),
    ]


@pytest.mark.parametrize("node", [ROLLOUT, "n1"])
def test_a_storm_has_one_winner_each_round(cluster: Cluster, node: str) -> None:
    tokens: list[int] = []
    for _ in range(2):
        leases: list[tuple[int, Lease]] = []
        books = [cluster.controller(f"run-{number}") for number in range(4)]
        start = threading.Barrier(len(books))
        bugs: list[BaseException] = []

        def take(number: int, books=books, start=start, leases=leases, bugs=bugs) -> None:  # type: ignore[no-untyped-def]
            start.wait()
            try:
                leases.append((number, books[number].acquire(node, reason="storm")))
            except Busy:
                pass
            except BaseException as error:
                bugs.append(error)

        threads = [threading.Thread(target=take, args=(number,)) for number in range(len(books))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not bugs
        [(winner, lease)] = leases
        assert [held.session for held in books[0].held()] == [lease.session]
        tokens.append(lease.token)
        books[winner].release(node)
        assert books[0].held() == ()
    assert tokens == sorted(set(tokens))
