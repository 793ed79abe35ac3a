"""What only etcd can do to the ledger: losing quorum, answers that are no answers, heartbeats that run out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from coreops.errors import UnreachableError
from coreops.model import Record, ShellStep
from coreops.store import etcdctl
from coreops.upgrade.ledger.book import Book
from coreops.upgrade.ledger.etcd import Etcd
from coreops.upgrade.ledger.protocol import Busy
from tests.support.ledger import holder
from tests.upgrade.ledger.conftest import LocalEtcd

pytestmark = pytest.mark.slow


def book(etcd: LocalEtcd, run: str) -> Book:
    return Book(Etcd(etcd.ask, [etcd.url]), holder(run))


def test_the_format_is_what_the_page_says(etcd: LocalEtcd) -> None:
    one = book(etcd, "run-1")
    lease = one.acquire("n 1", reason="upgrade to 1.1.0", boot_id="b-1")
    raw = etcd.ctl("get", "--print-value-only", "/coreops/upgrade/v1/leases/n%201").stdout
    assert json.loads(raw) == {
        "v": 1, "node": "n 1", "run": "run-1", "owner": "ci@ci-4", "home": "", "session": lease.session,
        "boot_id": "b-1", "reason": "upgrade to 1.1.0", "since": lease.since, "renewed": lease.since, "phase": "",
        "pid": 4711,
    }  # fmt: skip
    stands = json.loads(etcd.ctl("get", "/coreops/upgrade/v1/leases/n%201", "-w", "json").stdout)["kvs"][0]
    assert stands["mod_revision"] == lease.token
    beat = json.loads(etcd.ctl("get", "/coreops/upgrade/v1/heartbeats/run-1", "-w", "json").stdout)["kvs"][0]
    assert beat["lease"]
    one.renew()
    raw = etcd.ctl("get", "--print-value-only", "/coreops/upgrade/v1/leases/n%201").stdout
    assert json.loads(raw)["token"] == lease.token


@pytest.mark.parametrize("gone", [etcdctl.PROGRAM, "curl -q"])
def test_the_gateway_and_etcdctl_say_the_same(etcd: LocalEtcd, gone: str) -> None:
    def ask(steps: Sequence[ShellStep]) -> Mapping[str, Record]:
        return etcd.ask([replace(step, act=(step.act or "").replace(gone, "/nowhere/at/all")) for step in steps])

    one, two = (Book(Etcd(ask, [etcd.url]), holder(run)) for run in ("run-1", "run-2"))
    hostile = 'it\'s "$(n)" \\ {1,2} \n ü'
    lease = one.acquire(hostile, reason=hostile)
    one.note(hostile, "drain")
    with pytest.raises(Busy):
        two.acquire(hostile, reason="r")
    one.deny("1.1.0", hostile, hostile)
    assert one.renew() == ()
    assert [(each.node, each.token, each.phase, each.alive) for each in two.held()] == [
        (hostile, lease.token, "drain", True)
    ]
    assert [(each.version, each.node, each.reason) for each in two.denied()] == [("1.1.0", hostile, hostile)]
    one.release(hostile)
    assert two.acquire(hostile, reason="r").token > lease.token
    two.force_release(hostile, "r")
    assert one.held() == ()
    one.close()
    two.close()
    assert not etcd.ctl("get", "--prefix", "/coreops/upgrade/v1/heartbeats/").stdout


def test_a_heartbeat_that_ran_out_is_begun_again(etcd: LocalEtcd) -> None:
    one, two = book(etcd, "run-1"), book(etcd, "run-2")
    one.acquire("n1", reason="r")
    beat = json.loads(etcd.ctl("get", "/coreops/upgrade/v1/heartbeats/run-1", "-w", "json").stdout)["kvs"][0]
    assert etcd.ctl("lease", "revoke", f"{beat['lease']:x}").returncode == 0
    assert [lease.alive for lease in two.held()] == [False]
    assert one.renew() == ()
    assert [lease.alive for lease in two.held()] == [True]
    one.close()
    one.close()
    assert [lease.alive for lease in two.held()] == [False]


def test_a_store_that_stops_in_the_middle_is_an_error_and_then_goes_on(etcd: LocalEtcd) -> None:
    one = book(etcd, "run-1")
    token = one.acquire("n1", reason="r").token
    etcd.stop()
    etcd.patience = 0.5
    for ask in (one.renew, one.held, lambda: one.release("n1"), lambda: one.acquire("n2", reason="r")):
        with pytest.raises(UnreachableError, match="etcd gave no answer"):
            ask()
    etcd.patience = 60.0
    etcd.start()
    assert one.renew() == ()
    assert [(lease.node, lease.token) for lease in one.held()] == [("n1", token)]
    one.release("n1")
    assert one.held() == ()


@pytest.mark.parametrize("word", ["put", "del"])
def test_a_step_that_ran_twice_is_recognised(etcd: LocalEtcd, word: str) -> None:
    """The first answer was lost with its node; the next one was asked the same."""

    def twice(steps: Sequence[ShellStep]) -> Mapping[str, Record]:
        if any(f"\n{word} " in (step.act or "") for step in steps):
            etcd.ask(steps)
        return etcd.ask(steps)

    one = Book(Etcd(twice, [etcd.url]), holder("run-1"))
    token = one.acquire("n1", reason="r").token
    one.note("n1", "drain")
    assert one.renew() == ()
    [lease] = one.held()
    assert (lease.token, lease.phase) == (token, "drain")
    one.release("n1")
    assert one.held() == ()
    one.acquire("n1", reason="r")
    one.force_release("n1", "once")
    assert one.held() == ()
    assert [record.reason for record in one.audit()] == ["once"]


def test_a_question_that_was_lost_in_an_election_is_asked_again(etcd: LocalEtcd) -> None:
    asked = 0

    def every_second(steps: Sequence[ShellStep]) -> Mapping[str, Record]:
        nonlocal asked
        asked += 1
        if asked % 2:
            return {
                step.id: Record(step.id, "failed", 1, stderr=b"Error: etcdserver: leader changed") for step in steps
            }
        return etcd.ask(steps)

    one = Book(Etcd(every_second, [etcd.url]), holder("run-1"))
    assert one.acquire("n1", reason="r").token > 0
    assert one.renew() == ()


@pytest.mark.parametrize("answer", [b"", b"{", b"{]", b"no JSON\n", b"\xff"])
def test_an_answer_that_is_none_is_an_error(answer: bytes) -> None:
    def ask(steps: Sequence[ShellStep]) -> Mapping[str, Record]:
        return {step.id: Record(step.id, "changed", stdout=answer) for step in steps}

    with pytest.raises(UnreachableError, match="etcd gave no answer"):
        Book(Etcd(ask, ["https://127.0.0.1:1"]), holder("run-1")).held()


def test_foreign_keys_below_ours_do_no_harm(etcd: LocalEtcd) -> None:
    etcd.ctl("put", "/coreops/upgrade/v1/leases/x/y", "not ours")
    etcd.ctl("put", "/coreops/upgrade/v1/denied/2.0.0", "not ours")
    one = book(etcd, "run-1")
    etcd.ctl("put", "/coreops/upgrade/v1/leases/x", "not ours")
    assert [(lease.node, lease.run) for lease in one.held()] == [("x", "")]
    assert [denial.version for denial in one.denied()] == ["2.0.0"]
    one.force_release("x", "rubbish")
    one.clear_denial("2.0.0")
    assert (one.denied(), len(one.audit())) == ((), 2)
