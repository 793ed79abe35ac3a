"""Round trips of a whole run, counted through a proxy that delays them."""

from __future__ import annotations

import time
from collections.abc import Callable

from coreops.transport import Transport
from tests.support.sshd import Sshd
from tests.transport.delay_proxy import DelayProxy

RTT = 0.08


def time_one_exchange(transport: Transport, sshd: Sshd, port: int) -> float:
    line = sshd.known_hosts.read_text()
    known = sshd.folder / f"known_{port}"
    known.write_text(line.replace(str(sshd.port), str(port)))
    start = time.monotonic()
    connection = transport.open(sshd.target(port=port, known_hosts=(known,)), "cat")
    connection.send(b"one exchange")
    chunk = connection.receive(10)
    assert chunk is not None
    assert chunk.data == b"one exchange"
    connection.close()
    return time.monotonic() - start


def test_connect_and_one_exchange_in_six_round_trips(sshd: Sshd, transport: Callable[[str], Transport]) -> None:
    with DelayProxy(("127.0.0.1", sshd.port), rtt=0.0) as direct:
        own = min(time_one_exchange(transport("paramiko"), sshd, direct.port) for _ in range(3))
    with DelayProxy(("127.0.0.1", sshd.port), rtt=RTT) as proxy:
        seconds = min(time_one_exchange(transport("paramiko"), sshd, proxy.port) for _ in range(3))
        trips = proxy.round_trips(seconds - own)
        assert proxy.connections == 3
    assert trips < 6.5
