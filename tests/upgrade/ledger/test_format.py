"""Any name is a safe key, any lease survives being written, what cannot be read holds all the same."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.upgrade.ledger import format
from coreops.upgrade.ledger.protocol import AuditRecord, Denial, Lease, ago

texts = st.text(max_size=40)


@given(st.text(min_size=1, max_size=40))
def test_a_key_is_a_plain_path_and_tells_its_name(name: str) -> None:
    key = format.key(format.LEASES, name)
    assert format.name(key) == name
    assert key.isascii()
    assert key.isprintable()
    assert key.count("/") == 1
    assert not set(key) & set(" '\"\\$`*?[")
    assert not key.split("/")[1].startswith(".")


@given(
    st.builds(
        Lease, node=st.just("n1"), run=texts, owner=texts, pid=st.integers(0, 2**31), home=texts, session=texts,
        boot_id=texts, reason=texts, since=texts, renewed=texts, token=st.integers(1, 2**63), phase=texts,
        extra=st.dictionaries(st.just("later"), texts),
    )
)  # fmt: skip
def test_a_lease_survives(lease: Lease) -> None:
    written = format.write_lease(lease)
    assert written.isascii()
    assert "\n" not in written
    assert format.read_lease("leases/n1", written, 7) == lease


def test_the_token_of_a_new_lease_is_its_mark() -> None:
    new = Lease(node="n1", run="r", owner="o")
    assert "token" not in json.loads(format.write_lease(new))
    assert format.read_lease("leases/n1", format.write_lease(new), 42).token == 42


@pytest.mark.parametrize("value", ["", "{", "[]", "null", '{"pid": "x"}', '{"pid": null}', "[" * 100000])
def test_what_is_no_lease_is_held_by_nobody_known(value: str) -> None:
    lease = format.read_lease("leases/n%201", value, 3)
    assert (lease.node, lease.run, lease.session, lease.token) == ("n 1", "", "", 3)


def test_denials_and_records_survive() -> None:
    denial = Denial(version="1.1.0", node="n1", reason="ü\n", by="a@b", run="r", at="2026-01-01T00:00:00Z")
    assert format.read_denial(format.key(format.DENIED, "1.1.0"), format.write_denial(denial)) == denial
    assert format.read_denial("denied/1.1.0", "garbage").version == "1.1.0"
    record = AuditRecord(what="deny", subject="1.1.0", by="a", run="r", at="t", reason="x", had={"a": 1})
    assert format.read_audit("audit/1", format.write_audit(record)) == record
    assert format.read_audit("audit/1", '{"had": 3}') == replace(
        record, what="", subject="", by="", run="", at="", reason="", had={}
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (40, "40 s"), (89.9, "89 s"), (90, "1 min"), (725, "12 min"), (3600, "1 h"), (11_100, "3 h 5 min"),
     (187_200, "2 d 4 h")],
)  # fmt: skip
def test_ago(seconds: float, text: str) -> None:
    assert ago(seconds) == text
