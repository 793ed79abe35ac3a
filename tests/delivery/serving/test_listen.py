"""Where to listen, and what may be said there in the clear."""

from __future__ import annotations

import pytest

from coreops.delivery.serving.listen import in_the_clear, listen
from coreops.errors import ExitCode, InputError, RefusedError
from tests.delivery.serving.machine import site


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


def test_secrets_need_tls_or_a_word() -> None:
    plain, secret = site({"n1": b"x"}), site({"n1": b"x", "n2": b"y"}, secret=("n2",))
    here, there = listen("127.0.0.1:80"), listen("192.0.2.1:80")
    for one in (plain, secret):
        assert in_the_clear(one, here, tls=False, insecure=False) is None
        assert in_the_clear(one, there, tls=True, insecure=False) is None
    assert "plain HTTP" in (in_the_clear(plain, there, tls=False, insecure=False) or "")
    assert "secrets of 1 node" in (in_the_clear(secret, there, tls=False, insecure=True) or "")
    with pytest.raises(RefusedError, match="1 node holds secrets") as caught:
        in_the_clear(secret, there, tls=False, insecure=False)
    assert caught.value.exit_code == ExitCode.REFUSED
    assert "n2" in (caught.value.why or "")
