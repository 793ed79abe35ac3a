"""What a request's target means."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.delivery.serving.request import PAGES, Ask, parse, redacted, shown

TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("target", "ask"),
    [
        ("/ignition?mac=a&uuid=b&serial=c%20d", Ask("ignition", (("mac", "a"), ("uuid", "b"), ("serial", "c d")))),
        ("/user-data", Ask("user-data")),
        ("/mac/52:54/user-data", Ask("user-data", (("mac", "52:54"),))),
        ("/serial/a%2Fb/meta-data", Ask("meta-data", (("serial", "a/b"),))),
        (f"/token/{TOKEN}/user-data", Ask("user-data", (), TOKEN)),
        (f"/ipxe?token={TOKEN}", Ask("ipxe", (), TOKEN)),
        ("//mac/1//user-data", Ask("user-data", (("mac", "1"),))),
        ("http://host:80/user-data?mac=1", Ask("user-data", (("mac", "1"),))),
        ("/ipxe?mac=1&mac=2&uuid=&MAC=3", Ask("ipxe", (("mac", "1"), ("mac", "2"), ("mac", "3")))),
        ("/", Ask(None)),
        ("/mac", Ask(None)),
        ("/../../etc/passwd", Ask(None)),
        ("/%2e%2e/user-data", Ask(None)),
        ("/user-data/..", Ask(None)),
        ("/index.json", Ask(None)),
        ("/n1.yaml", Ask(None)),
        ("/user-data?" + "&".join(["mac=1"] * 99), None),
        ("/user-data?mac=%ff", Ask("user-data", (("mac", "\ufffd"),))),
        ("/%ff", None),
        ("http://[/user-data", None),
    ],
)
def test_parse(target: str, ask: Ask | None) -> None:
    assert parse(target) == ask


@given(st.text())
def test_any_target_is_a_page_or_none(target: str) -> None:
    found = parse(target)
    assert found is None or found.page is None or found.page in PAGES
    if found:
        json.dumps(shown(found))
        assert len(shown(found)) <= 200


@given(st.text(), st.text())
def test_no_token_gets_into_a_log(before: str, after: str) -> None:
    assert TOKEN not in redacted(before + TOKEN + after)
    assert TOKEN not in shown(Ask("ipxe", (("mac", before + TOKEN + after),)))
