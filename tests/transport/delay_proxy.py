"""A TCP proxy that holds every byte for half a round trip in each direction, and counts. Used by tests and bench/.

Round trips are counted by what each side can have known, not by the clock, so a busy machine does not disturb them:
what a client sends after an answer was delivered counts one more than that answer. TCP's own handshake is the first. A
proxy cannot delay that one: the first bytes of every connection wait one more round trip instead.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import selectors
import socket
import threading
import time
from dataclasses import dataclass


@dataclass(slots=True)
class _Side:
    """One end of a connection. ``trips``: the round trips behind what it has received so far."""

    other: socket.socket
    is_client: bool
    opens: float
    trips: int = 1


class DelayProxy:
    """``with DelayProxy(("127.0.0.1", port), rtt=0.05) as proxy: connect to proxy.port``, on the address ``listen``.

    ``round_trips`` are those of the connection that took most.
    """

    def __init__(self, server: tuple[str, int], rtt: float = 0.05, listen: str = "127.0.0.1") -> None:
        self.server = server
        self.rtt = rtt
        self.connections = 0
        self.round_trips = 0
        self.bytes_up = 0
        self.bytes_down = 0
        self._listener = socket.create_server((listen, 0))
        self.port = int(self._listener.getsockname()[1])
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> DelayProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wake.close()
        self._thread.join(5)

    def _run(self) -> None:
        with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
            stack.enter_context(self._listener)
            stack.enter_context(self._woken)
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            due: list[tuple[float, int, socket.socket, int, bytes]] = []
            order = itertools.count()
            sides: dict[socket.socket, _Side] = {}
            while True:
                now = time.monotonic()
                while due and due[0][0] <= now:
                    _, _, to, trips, data = heapq.heappop(due)
                    if data:
                        sides[to].trips = max(sides[to].trips, trips)
                        if sides[to].is_client:
                            self.round_trips = max(self.round_trips, sides[to].trips)
                    with contextlib.suppress(OSError):
                        to.sendall(data) if data else to.shutdown(socket.SHUT_WR)
                for key, _ in selector.select(max(0.0, due[0][0] - now) if due else None):
                    sock = key.fileobj
                    assert isinstance(sock, socket.socket)
                    if sock is self._woken:
                        return
                    if sock is self._listener:
                        client = stack.enter_context(self._listener.accept()[0])
                        server = stack.enter_context(socket.create_connection(self.server))
                        self.connections += 1
                        for one, two in ((client, server), (server, client)):
                            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                            selector.register(one, selectors.EVENT_READ)
                            # nothing can pass before TCP's handshake is through
                            sides[one] = _Side(two, one is client, time.monotonic() + self.rtt)
                        continue
                    try:
                        data = sock.recv(1 << 16)
                    except OSError:
                        data = b""
                    if not data:
                        selector.unregister(sock)
                    side = sides[sock]
                    if side.is_client:
                        self.bytes_up += len(data)
                    else:
                        self.bytes_down += len(data)
                    at = max(time.monotonic(), side.opens) + self.rtt / 2
                    heapq.heappush(due, (at, next(order), side.other, side.trips + side.is_client, data))
