"""Round trips of a whole run, counted by a proxy that delays them."""

from __future__ import annotations

from collections.abc import Callable

from coreops.transport import Transport
from tests.support.sshd import Sshd
from tests.transport.delay_proxy import DelayProxy


def test_connect_and_one_exchange_in_six_round_trips(sshd: Sshd, transport: Callable[[str], Transport]) -> None:
    with DelayProxy(("127.0.0.1", sshd.port), rtt=0.04) as proxy:
        known = sshd.folder / f"known_{proxy.port}"
        known.write_text(sshd.known_hosts.read_text().replace(str(sshd.port), str(proxy.port)))
        connection = transport("paramiko").open(sshd.target(port=proxy.port, known_hosts=(known,)), "cat")
        connection.send(b"one exchange")
        chunk = connection.receive(60)
        assert chunk is not None
        assert chunk.data == b"one exchange"
        assert proxy.connections == 1
        assert 4 <= proxy.round_trips <= 6
        connection.close()
