"""The look at the store that goes on beside a rollout."""

from __future__ import annotations

import json
import threading

from coreops.errors import UnreachableError
from coreops.events import StoreHealth
from coreops.model import Record
from coreops.store.cluster import Member
from coreops.upgrade.cluster.watch import StoreWatch

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
        assert done.wait(10)
    assert told[0] == StoreHealth(3, 3, "n1")
    assert [each.healthy for each in told] == [3, 2, 0, 3]


def test_without_a_store_nobody_is_asked():
    with StoreWatch(lambda steps: 1 / 0, (), lambda event: None, every=0.001):
        pass
