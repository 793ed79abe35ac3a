"""What only nodes can do to the ledger: shells that differ, hosts that are away, files that are damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from coreops.errors import CoreopsError, HostFailed, RefusedError, UnreachableError
from coreops.upgrade.ledger.book import Book
from coreops.upgrade.ledger.markers import Markers
from coreops.upgrade.protocol import ROLLOUT
from tests.support.ledger import holder
from tests.support.shells import EACH_SHELL, SHELLS
from tests.upgrade.ledger.conftest import HOSTS, LocalNodes


def book(nodes: LocalNodes, run: str) -> Book:
    return Book(Markers(nodes.ask_on, HOSTS), holder(run))


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_every_shell(shell: str, tmp_path: Path) -> None:
    if shutil.which(SHELLS[shell][0]) is None:
        pytest.skip(f"no {shell} here")
    nodes = LocalNodes(tmp_path, shell)
    one, two = book(nodes, "run-1"), book(nodes, "run-2")
    hostile = "back\\nslash 'quote' \"double\" $(x) `y` % é"
    token = one.acquire("n1", reason=hostile).token
    one.note("n1", hostile)
    with pytest.raises(RefusedError, match="n1 is leased"):
        two.acquire("n1", reason="r")
    [lease] = two.held()
    assert (lease.reason, lease.phase, lease.token) == (hostile, hostile, token)
    two.force_release("n1", hostile)
    assert two.acquire("n1", reason="r").token > token
    assert [record.reason for record in one.audit()] == [hostile]


def test_a_token_is_above_what_the_node_has_seen(nodes: LocalNodes) -> None:
    (nodes.home("n1") / "fence").write_text("5000\n")
    assert book(nodes, "run-1").acquire("n1", reason="r").token == 5001


def test_a_damaged_marker_holds_until_it_is_released_by_force(nodes: LocalNodes) -> None:
    one = book(nodes, "run-1")
    one.acquire("n1", reason="r")
    path = nodes.home("n1") / "ledger/v1/leases/n1"
    for damage in (b"\x00\xff{", b"x\\ny z", b"12"):
        path.write_bytes(damage)
        with pytest.raises(RefusedError, match="cannot be read"):
            book(nodes, "run-2").acquire("n1", reason="r")
        book(nodes, "run-2").force_release("n1", "damaged")
    assert book(nodes, "run-2").acquire("n1", reason="r").token > 0


def test_a_damaged_counter_does_not_let_tokens_fall(nodes: LocalNodes) -> None:
    one = book(nodes, "run-1")
    first = one.acquire("n1", reason="r").token
    (nodes.home("n1") / "fence").write_text(f"{first}\n")
    one.release("n1")
    (nodes.home("n1") / "ledger/v1/counter").write_text("")
    assert one.acquire("n1", reason="r").token > first


def test_hosts_that_are_away_do_not_stop_a_rollout_but_most_must_be_there(nodes: LocalNodes) -> None:
    one = book(nodes, "run-1")
    nodes.down = {"n1"}
    one.acquire(ROLLOUT, reason="r")
    assert [lease.node for lease in one.held()] == [ROLLOUT]
    assert list(one.unread) == ["n1"]
    with pytest.raises(UnreachableError):
        one.acquire("n1", reason="r")
    one.release(ROLLOUT)
    nodes.down = {"n1", "n2"}
    with pytest.raises(UnreachableError):
        one.acquire(ROLLOUT, reason="r")
    nodes.down = set()
    assert one.held() == ()


def test_a_node_that_reboots_keeps_its_lease(nodes: LocalNodes) -> None:
    one = book(nodes, "run-1")
    one.acquire(ROLLOUT, reason="r")
    one.acquire("n1", reason="r")
    nodes.down = {"n1"}
    one.note("n1", "reboot")
    assert one.renew() == ()
    assert one.unheard == frozenset()
    nodes.down = set(HOSTS)
    with pytest.raises(UnreachableError):
        one.renew()
    assert one.unheard == set(HOSTS)
    nodes.down = set()
    assert one.renew() == ()
    assert one.unheard == frozenset()
    assert {lease.node: lease.phase for lease in one.held()} == {ROLLOUT: "", "n1": "reboot"}


def test_a_node_that_cannot_write_is_an_error(nodes: LocalNodes) -> None:
    (nodes.home("n1") / "ledger").write_text("in the way")
    with pytest.raises(HostFailed, match="markers could not be used"):
        book(nodes, "run-1").acquire("n1", reason="r")


def test_a_host_of_another_inventory(nodes: LocalNodes) -> None:
    with pytest.raises(CoreopsError, match="no markers of this inventory"):
        book(nodes, "run-1").acquire("elsewhere", reason="r")


def test_a_denial_on_any_host_counts(nodes: LocalNodes) -> None:
    one = book(nodes, "run-1")
    nodes.down = {"n1", "n2"}
    one.deny("1.1.0", "n2", "r")
    nodes.down = {HOSTS[2]}
    assert one.denied() == ()
    assert list(one.unread) == [HOSTS[2]]
    nodes.down = set()
    assert [denial.version for denial in one.denied()] == ["1.1.0"]
