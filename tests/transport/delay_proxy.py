"""A TCP proxy that delays each direction by half a round trip, so that round trips show as time. Reusable by bench/.

``round_trips(seconds)`` turns the time of a run into a count. A proxy cannot delay TCP's own handshake: the first bytes
of every connection wait one more round trip instead.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import selectors
import socket
import threading
import time


class DelayProxy:
    """``with DelayProxy(("127.0.0.1", port), rtt=0.05) as proxy: connect to proxy.port``."""

    def __init__(self, server: tuple[str, int], rtt: float = 0.05) -> None:
        self.server = server
        self.rtt = rtt
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> DelayProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wake.close()
        self._thread.join(5)

    def round_trips(self, seconds: float) -> float:
        """How many round trips fit in this time."""
        return seconds / self.rtt

    def _run(self) -> None:
        with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
            stack.enter_context(self._listener)
            stack.enter_context(self._woken)
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            due: list[tuple[float, int, socket.socket, bytes]] = []
            order = itertools.count()
            other: dict[socket.socket, socket.socket] = {}
            opens: dict[socket.socket, float] = {}
            while True:
                now = time.monotonic()
                while due and due[0][0] <= now:
                    _, _, to, data = heapq.heappop(due)
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
                            other[one] = two
                            # nothing can pass before TCP's handshake is through
                            opens[one] = time.monotonic() + self.rtt
                        continue
                    try:
                        data = sock.recv(1 << 16)
                    except OSError:
                        data = b""
                    if not data:
                        selector.unregister(sock)
                    at = max(time.monotonic(), opens[sock]) + self.rtt / 2
                    heapq.heappush(due, (at, next(order), other[sock], data))
