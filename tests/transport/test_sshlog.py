"""ssh's own words, as a real ssh printed them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError, UnreachableError
from coreops.model import Target
from coreops.transport.sshlog import SshLog

TARGET = Target(name="n1", address="n1")
CONNECTED = "debug1: Connection established.\n"
GREETED = CONNECTED + "debug1: Remote protocol version 2.0, remote software version OpenSSH_9.2\n"
KEYED = GREETED + "debug1: SSH2_MSG_NEWKEYS received\n"


def log(text: str) -> SshLog:
    made = SshLog()
    made.feed(text.encode())
    return made


@pytest.mark.parametrize(
    ("text", "kind", "what"),
    [
        ("ssh: Could not resolve hostname n1: Name or service not known\n", "dns", "host name does not resolve"),
        ("ssh: connect to host n1 port 22: Connection refused\n", "tcp", "connection refused"),
        ("ssh: connect to host n1 port 22: No route to host\n", "tcp", "no route to host"),
        ("ssh: connect to host n1 port 22: Network is unreachable\n", "tcp", "no route to host"),
        ("ssh: connect to host n1 port 22: Connection timed out\n", "timeout", "connect timed out"),
        ("ssh: connect to host n1 port 22: Permission for this denied\n", "tcp", "connection failed"),
        (CONNECTED + "Connection timed out during banner exchange\n", "timeout", "no answer from an SSH server"),
        (CONNECTED + "kex_exchange_identification: read: Connection reset by peer\n", "tcp", "connection reset"),
        (
            CONNECTED
            + "debug1: kex_exchange_identification: banner line 0: HTTP/1.1 400\n"
            + "kex_exchange_identification: Connection closed by remote host\n",
            "key exchange",
            "not an SSH server",
        ),
        (
            GREETED + "Unable to negotiate with n1 port 22: no matching cipher found. Their offer: 3des-cbc\n",
            "key exchange",
            "key exchange failed",
        ),
        (GREETED + "Connection closed by 10.0.0.1 port 22\n", "key exchange", "key exchange failed"),
        (KEYED + "core@n1: Permission denied (publickey).\n", "auth", "no key was accepted"),
        (KEYED + "Received disconnect from n1: Too many authentication failures\n", "auth", "no key was accepted"),
        (KEYED + "Connection closed by 10.0.0.1 port 22\n", "auth", "no key was accepted"),
        (
            GREETED + "No ED25519 host key is known for n1 and you have requested strict checking.\n"
            "Host key verification failed.\n",
            "host key",
            "host key is unknown",
        ),
    ],
)
def test_causes(text: str, kind: str, what: str) -> None:
    error = log(text).error(TARGET, "", False)
    assert isinstance(error, UnreachableError)
    assert (error.kind, error.what) == (kind, what)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "connect timed out"),
        (CONNECTED, "no answer from an SSH server"),
        (GREETED, "key exchange timed out"),
        (KEYED, "authentication timed out"),
    ],
)
def test_timeouts_name_the_stage(text: str, what: str) -> None:
    error = log(text).timeout(TARGET)
    assert (error.kind, error.what) == ("timeout", what)


def test_bad_options_are_bad_input() -> None:
    error = log("command-line: line 0: Bad configuration option: nonsense\n").error(TARGET, "", False)
    assert isinstance(error, InputError)


def test_dropped_is_only_what_sshd_does_at_random() -> None:
    hung_up = "kex_exchange_identification: Connection closed by remote host\n"
    assert log(CONNECTED + hung_up).dropped
    assert log(
        CONNECTED + "debug1: kex_exchange_identification: banner line 0: Exceeded MaxStartups\n" + hung_up
    ).dropped
    assert not log(CONNECTED + "debug1: kex_exchange_identification: banner line 0: HTTP\n" + hung_up).dropped
    assert not log(KEYED + hung_up).dropped


def test_lost_after_login() -> None:
    login = KEYED + 'Authenticated to n1 ([10.0.0.1]:22) using "publickey".\n'
    assert log(login).authenticated
    error = log(login + "Timeout, server n1 not responding.\n").lost(TARGET)
    assert (error.kind, error.what) == ("lost", "the host stopped answering")
    assert log(login + "client_loop: send disconnect: Broken pipe\n").lost(TARGET).what == "connection lost"


@given(st.lists(st.binary(max_size=40)))
def test_no_bytes_break_the_log(parts: list[bytes]) -> None:
    made = SshLog()
    for part in parts:
        made.feed(part)
    made.error(TARGET, "", True)
    made.timeout(TARGET)
