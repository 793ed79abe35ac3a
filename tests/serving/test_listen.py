"""Addresses to listen on, and those of peers."""

from __future__ import annotations

import pytest

from coreops.errors import InputError
from coreops.serving.listen import address, as_reached, listen


@pytest.mark.parametrize(
    ("text", "shown", "local"),
    [
        ("127.0.0.1:8080", "127.0.0.1:8080", True),
        ("localhost:0", "127.0.0.1:0", True),
        ("127.9.9.9:1", "127.9.9.9:1", True),
        ("[::1]:80", "[::1]:80", True),
        (":8080", "0.0.0.0:8080", False),
        ("192.0.2.1:65535", "192.0.2.1:65535", False),
        ("[2001:DB8::1]:8080", "[2001:db8::1]:8080", False),
    ],
)
def test_listen(text: str, shown: str, local: bool) -> None:
    assert (str(listen(text)), listen(text).local) == (shown, local)


@pytest.mark.parametrize(
    "text", ["", "8080", "a:b", "host:80", "::1:80", "[::1]", "1.2.3:80", "127.0.0.1:65536", "127.0.0.1:٣"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(InputError, match="--listen cannot be"):
        listen(text)


def test_addresses_have_one_spelling() -> None:
    spelled = {"::ffff:192.0.2.1": "192.0.2.1", "fe80::1%eth0": "fe80::1", "2001:DB8::1": "2001:db8::1", "n1": None}
    assert {text: address(text) for text in spelled} == spelled


def test_a_peer_that_lies_about_our_name_is_not_believed() -> None:
    own = "https://192.0.2.1:8087"
    assert as_reached(own, "etcd.example:443") == "https://etcd.example:443"
    assert as_reached(own, "[2001:db8::1]:80") == "https://[2001:db8::1]:80"
    for host in ("", "a b", "a/b", "a\r\nX: y", "u@h", "$(id)", "a:99999999"):
        assert as_reached(own, host) == own
