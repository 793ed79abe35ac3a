"""Reading the registry, following it, and showing it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import UnreachableError
from coreops.registration import overview, record
from coreops.registration.readers import Change, Registry, Standing, between
from coreops.registration.record import PREFIX, Registered, parse
from coreops.registration.watch import follow
from tests.registration.real_etcd import HOSTILE, MACHINE, Etcd

A = Registered(machine_id="a" * 32, host="n1", address="10.0.0.1", version="1.0.0", slot="USR-A", boot_id="b" * 36)


def text(node: Registered) -> str:
    said = record.static(node.host, node.address, node.zone, node.scheduler, node.labels)
    own = {name: getattr(node, name) for name in ("machine_id", "version", "slot", "boot_id", "since")}
    return json.dumps(said | own)


@given(st.text(max_size=300))
def test_any_text_is_read_or_left(noise: str) -> None:
    parse(PREFIX + noise, noise)


@given(
    st.recursive(st.none() | st.text(max_size=5) | st.integers(), lambda x: st.dictionaries(st.text(), x), max_leaves=9)
)
def test_any_json_is_read_or_left(value: object) -> None:
    assert parse(PREFIX + "x", json.dumps(value)) is None
    assert parse(PREFIX + "x", json.dumps({"v": 1, "machine_id": "x", "labels": value})) in (
        None,
        Registered(machine_id="x", labels=value if isinstance(value, dict) else {}),
    )


def test_a_record_is_what_was_said() -> None:
    node = replace(A, labels={"a b": HOSTILE}, zone="z", scheduler="swarm", since="2026-01-01T00:00:00Z")
    assert parse(PREFIX + node.machine_id, text(node)) == node
    more = json.dumps({**json.loads(text(node)), "later": [1]})
    assert parse(PREFIX + node.machine_id, more) == node
    assert parse(PREFIX + "another", text(node)) is None


def test_who_is_there_and_who_is_missing() -> None:
    old = replace(A, machine_id="c" * 32, since="2026-01-01T00:00:00Z")
    new = replace(A, since="2026-01-02T00:00:00Z")
    x = replace(A, machine_id="x", host="x")
    found = overview.rows({"n1": True, "n2": True, "n3": False}, {n.machine_id: n for n in (new, old, x)})
    assert [(row.host, row.state, row.node) for row in found] == [
        ("n1", "registered", new),
        ("n2", "missing", None),
        ("n3", "not registered", None),
        ("n1", "stranger", old),
        ("x", "stranger", x),
    ]


def test_changes_in_a_line() -> None:
    moved = replace(A, slot="USR-B", version="1.1.0", boot_id="c" * 36, labels={"disk": "ssd"})
    (change,) = between(Standing({"a": A}, 1), Standing({"a": moved}, 2))
    assert overview.say(change) == (
        "n1: version 1.0.0 -> 1.1.0, slot USR-A -> USR-B, boot bbbbbbbb -> cccccccc, labels none -> disk=ssd"
    )
    assert overview.say(Change(None, A)) == "n1 is there (10.0.0.1, 1.0.0 from USR-A, boot bbbbbbbb)"
    assert overview.say(Change(A, None)).startswith("n1 is gone")
    assert overview.plain(Change(A, None))["change"] == "gone"


class Steps:
    """A registry that says what a list holds."""

    def __init__(self, *answers: Standing | UnreachableError | None) -> None:
        self.answers = list(answers)

    def read(self) -> Standing:
        found = self.answers.pop(0)
        if isinstance(found, UnreachableError):
            raise found
        assert found is not None
        return found

    def changes(self, standing: Standing) -> Standing | None:
        if self.answers[0] is None:
            self.answers.pop(0)
            return None
        return self.read()


def test_following_survives_silence_and_lost_history() -> None:
    silent = UnreachableError("timeout", "no")
    lines = follow(
        Steps(Standing({}, 1), silent, silent, Standing({"a": A}, 2), None, Standing({}, 9)),  # type: ignore[arg-type]
        sleep=lambda seconds: None,
    )
    seen: list[object] = [next(lines) for _ in range(5)]
    assert seen == [
        Standing({}, 1),
        "the store does not answer: no",
        "the store answers again",
        Change(None, A),
        Change(A, None),
    ]


@pytest.fixture
def registry(etcd: Etcd) -> Iterator[Registry]:
    yield Registry(etcd.ask, [etcd.member.client_url])
    etcd.ctl("del", "--prefix", PREFIX)


@pytest.mark.slow
def test_changes_are_seen_in_a_real_etcd(etcd: Etcd, registry: Registry) -> None:
    node = replace(A, machine_id=MACHINE, labels={"x": HOSTILE})
    before = registry.read()
    assert registry.changes(before, poll=1) == before
    etcd.ctl("put", "--", PREFIX + MACHINE, text(node))
    etcd.ctl("put", "--", PREFIX + "junk", "{")
    there = registry.changes(before, poll=5)
    assert there is not None
    assert [change.now for change in between(before, there)] == [node]
    etcd.ctl("del", PREFIX + MACHINE)
    gone = registry.changes(there, poll=5)
    assert gone is not None
    assert gone.nodes == {}
    etcd.ctl("compaction", str(gone.revision))
    assert registry.changes(before, poll=5) is None
