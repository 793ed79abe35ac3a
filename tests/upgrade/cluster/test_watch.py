"""The look at the store that goes on beside a rollout."""

from __future__ import annotations

import json
import threading
import time
from itertools import pairwise

from coreops.errors import UnreachableError
from coreops.events import StoreHealth
from coreops.model import Record
from coreops.store.cluster import Member
from coreops.upgrade.cluster.watch import StoreWatch
from coreops.upgrade.gates import etcd

MEMBERS = [Member(f"n{i}", f"10.0.0.{i}") for i in (1, 2, 3)]


def answer(healthy: bool) -> bytes:
    """What etcdctl says of three members, the second of which may be away."""
    entries = [{"ID": i, "name": f"n{i}", "peerURLs": [f"p{i}"], "clientURLs": [f"c{i}"]} for i in (1, 2, 3)]
    header = {"cluster_id": 7, "member_id": 0, "revision": 5}
    status = [
        {"Endpoint": f"c{i}", "Status": {"header": header | {"member_id": i}, "leader": 1, "version": "3.5.1"}}
        for i in ((1, 2, 3) if healthy else (1, 3))
    ]
    health = [
        {"endpoint": "c1", "health": True},
        {"endpoint": "c3", "health": True},
        {"endpoint": "c2", "health": healthy},
    ]
    lines = {"members": {"members": entries}, "status": status, "health": health}
    return "".join(f"{key} {json.dumps(value)}\n" for key, value in lines.items()).encode()


def test_it_tells_of_changes_only_and_outlives_a_store_that_is_away():
    said = [answer(True), answer(True), answer(False), None, answer(True)]
    told, done = [], threading.Event()

    def ask(steps):
        if not said:
            done.set()
            return {"store": Record("store", "ok", stdout=answer(True))}
        what = said.pop(0)
        if what is None:
            raise UnreachableError("lost", "nobody answers")
        return {"store": Record("store", "ok", stdout=what)}

    with StoreWatch(ask, MEMBERS, told.append, every=0.001):
        assert done.wait(60)
    assert told[0] == StoreHealth(3, 3, "n1")
    assert [each.healthy for each in told] == [3, 2, 0, 3]


def test_without_a_store_nobody_is_asked():
    with StoreWatch(lambda steps: 1 / 0, (), lambda event: None, every=0.001):
        pass


def test_who_answers_slowly_is_asked_less_often():
    asked, enough = [], threading.Event()

    def ask(steps):
        asked.append(time.monotonic())
        time.sleep(0.02)
        if len(asked) == 3:
            enough.set()
        return {"store": Record("store", "ok", stdout=answer(True))}

    with StoreWatch(ask, MEMBERS, lambda event: None, every=0.001):
        assert enough.wait(60)
    assert all(later - sooner > 0.15 for sooner, later in pairwise(asked))


def test_members_have_the_time_that_the_operator_gives_them():
    asked, done = [], threading.Event()

    def ask(steps):
        asked.extend(steps)
        done.set()
        return {"store": Record("store", "ok", stdout=answer(True))}

    with StoreWatch(ask, MEMBERS, lambda event: None, every=0.001, answer=14.5):
        assert done.wait(60)
    (step, *_) = asked
    assert step.probe == etcd.script("", MEMBERS, answer=14.5) != etcd.script("", MEMBERS)
    assert step.timeout > len(MEMBERS) * 14.5
