"""What may be said in the clear, and where."""

from __future__ import annotations

import pytest

from coreops.delivery.serving.clear import in_the_clear
from coreops.errors import ExitCode, RefusedError
from coreops.serving.listen import listen
from tests.delivery.serving.machine import site


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
