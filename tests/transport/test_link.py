"""The threadless SSH connection under stress: new keys mid-stream, peers that stop in the middle, many readers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from coreops.errors import UnreachableError
from coreops.transport import Transport
from coreops.transport.channel import ParamikoConnection
from coreops.transport.packets import Packets
from coreops.transport.trouble import Stalled
from tests.support.sshd import Sshd
from tests.transport.conformance import read_to_end, read_until

Factory = Callable[[str], Transport]


@pytest.fixture
def link_to(transport: Factory) -> Callable[[Sshd, str], ParamikoConnection]:
    def make(server: Sshd, command: str) -> ParamikoConnection:
        connection = transport("paramiko").open(server.target(), command)
        assert isinstance(connection, ParamikoConnection)
        return connection

    return make


def test_no_thread_is_left_or_started(sshd: Sshd, link_to: Callable[[Sshd, str], ParamikoConnection]) -> None:
    before = threading.active_count()
    connection = link_to(sshd, "cat")
    assert threading.active_count() == before
    connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("config", [(), ("RekeyLimit 1M",), ("Ciphers aes128-ctr", "MACs hmac-sha2-256")])
def test_new_keys_in_the_middle_of_traffic(
    new_sshd: Callable[..., Sshd],
    link_to: Callable[[Sshd, str], ParamikoConnection],
    monkeypatch: pytest.MonkeyPatch,
    config: tuple[str, ...],
) -> None:
    monkeypatch.setattr(Packets, "REKEY_BYTES", 1 << 20)
    connection = link_to(new_sshd(*config), "cat")
    first = connection._link.H
    size = 8 << 20
    connection.send(b"x" * size)
    while size > 0:
        chunk = connection.receive(100)
        assert chunk is not None
        size -= len(chunk.data)
    assert first != connection._link.H
    assert connection.aside("echo side", 60) == (0, b"side\n")
    connection.close()


def test_many_threads_on_one_connection(sshd: Sshd, link_to: Callable[[Sshd, str], ParamikoConnection]) -> None:
    connection = link_to(sshd, "cat")
    with ThreadPoolExecutor(8) as pool:
        asides = [pool.submit(connection.aside, f"echo {number}", 120) for number in range(6)]
        beats = [pool.submit(connection.alive, 120) for _ in range(2)]
        assert [aside.result() for aside in asides] == [(0, b"%d\n" % number) for number in range(6)]
        assert all(beat.result() for beat in beats)
    connection.close()


@pytest.mark.slow
def test_sending_to_a_frozen_peer_gives_up(
    new_sshd: Callable[..., Sshd], link_to: Callable[[Sshd, str], ParamikoConnection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Packets, "stall", 2.0)
    server = new_sshd()
    connection = link_to(server, "cat >/dev/null")
    server.freeze()
    start = time.monotonic()
    with pytest.raises(UnreachableError) as caught:
        connection.send(b"x" * (64 << 20))
    assert caught.value.kind == "lost"
    assert time.monotonic() - start < 100
    connection.close()


def test_close_wakes_a_sender(
    new_sshd: Callable[..., Sshd], link_to: Callable[[Sshd, str], ParamikoConnection]
) -> None:
    connection = link_to(new_sshd(), "sleep 60")
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(connection.send, b"x" * (64 << 20))
        with pytest.raises(TimeoutError):
            sending.result(0.5)
        connection.close()
        with pytest.raises(UnreachableError):
            sending.result(60)


@pytest.mark.slow
def test_a_slow_command_that_reads_nothing_is_no_loss(
    sshd: Sshd, link_to: Callable[[Sshd, str], ParamikoConnection], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = link_to(sshd, "sleep 2; wc -c")
    link = connection._link
    put, keepalive, answers = link.put, link.keepalive, []
    # Out of patience for room many times in those seconds; a busy machine may take its time to answer.
    monkeypatch.setattr(link, "put", lambda pipe, data, _, or_chunks: put(pipe, data, 0.2, or_chunks=or_chunks))
    monkeypatch.setattr(link, "keepalive", lambda _: answers.append(keepalive(60)) or answers[-1])
    connection.send(b"x" * (8 << 20))
    connection._pipe.shutdown_write()
    assert read_until(connection, lambda out, err: out.endswith(b"\n"))[0].split() == [b"%d" % (8 << 20)]
    assert answers
    assert all(answers)
    connection.close()


def test_a_half_packet_has_a_deadline() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        packets = Packets(ours)
        packets.stall = 0.1
        theirs.sendall(b"\0\0\1\0half")
        assert packets.fill(1)
        assert not packets.ready()
        assert not packets.fill(0.05)
        with pytest.raises(Stalled):
            packets.read_all(100)


def test_a_refused_second_session_is_said_so(
    new_sshd: Callable[..., Sshd], link_to: Callable[[Sshd, str], ParamikoConnection]
) -> None:
    connection = link_to(new_sshd("MaxSessions 1"), "cat")
    with pytest.raises(UnreachableError) as caught:
        connection.aside("echo side", 60)
    assert caught.value.kind == "shell"
    connection.send(b"still\n")
    assert read_until(connection, lambda out, err: out == b"still\n")
    connection.close()


def test_a_forced_command_that_fails_is_the_end(
    new_sshd: Callable[..., Sshd], link_to: Callable[[Sshd, str], ParamikoConnection]
) -> None:
    connection = link_to(new_sshd("ForceCommand echo 'no commands here' >&2; exit 127"), "cat")
    error = read_to_end(connection)[2]
    assert error.kind == "shell"
    assert "no commands here" in str(error.why)
    connection.close()
