"""The default transport: SSH through paramiko, strict host keys, ssh_config, agent and jump hosts.

Round trips of a cold connection and one exchange, measured over a delayed link to OpenSSH 9.2: 8. TCP 1, banners and
proposals 2, key exchange 1, then service request, signature and session in one breath 2 (sshd holds the second answer
back until the first is acknowledged), command until sshd opens its window 1, input until output 1.

paramiko is imported only behind the first dial: meanwhile the servers do their part, and all of them at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from coreops.errors import UnreachableError
from coreops.model import Target
from coreops.transport import failures
from coreops.transport.dial import Forwarded, ProxyCommand, connect
from coreops.transport.failures import failure
from coreops.transport.lean import import_paramiko
from coreops.transport.sshconfig import Hop, resolve
from coreops.transport.trouble import Late, LinkDown

if TYPE_CHECKING:
    from coreops.transport.channel import ParamikoConnection
    from coreops.transport.greeting import Reached, Stream
    from coreops.transport.link import Link


def _nothing() -> None:
    """Nothing stands behind a socket."""


@dataclass
class _Jump:
    """A connected jump host and how many connections go through it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    link: Link | None = None
    users: int = 0
    release: Callable[[], None] = _nothing


class ParamikoTransport:
    """Opens connections; shares jump hosts between them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jumps: dict[tuple[Any, ...], _Jump] = {}
        self._closed = False

    def open(self, target: Target, command: str) -> ParamikoConnection:
        hops = resolve(target)
        link, pipe, release = self._reach(target, hops, True)
        from coreops.transport.channel import begin

        return begin(target, command, link, pipe, release)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            jumps = list(self._jumps.items())
        for way, jump in jumps:
            self._drop(way, jump, used=False)

    def _reach(self, target: Target, hops: tuple[Hop, ...], session: bool) -> Reached:
        """Connect to the last hop, through the others."""
        hop = hops[-1]
        if len(hops) == 1:
            return _greet(target, hop, partial(_dial, target, hop), session)
        way = tuple(before.key for before in hops[:-1])
        with self._lock:
            jump = self._jumps.setdefault(way, _Jump())
            jump.users += 1
        try:
            link, pipe, release = self._through(target, hops, jump, session)
        except BaseException:
            self._drop(way, jump)
            raise

        def done() -> None:
            release()
            self._drop(way, jump)

        return link, pipe, done

    def _through(self, target: Target, hops: tuple[Hop, ...], jump: _Jump, session: bool) -> Reached:
        """Connect to the last hop over a shared jump host, which is connected when it is not (any more)."""
        while True:
            with jump.lock:
                fresh = jump.link is None or not jump.link.is_active()
                if fresh:
                    jump.release()
                    jump.link, _, jump.release = self._reach_jump(target, hops[:-1])
                over = jump.link
            assert over is not None
            try:
                return _greet(target, hops[-1], partial(_forward, target, over, hops[-1]), session)
            except UnreachableError:
                # a connection that stood idle may have died unnoticed: once more, over a new one
                if fresh or over.is_active():
                    raise

    def _reach_jump(self, target: Target, hops: tuple[Hop, ...]) -> Reached:
        try:
            return self._reach(target, hops, False)
        except UnreachableError as error:
            raise failures.via_jump(error, f"{hops[-1].host}:{hops[-1].port}") from None

    def _drop(self, way: tuple[Any, ...], jump: _Jump, used: bool = True) -> None:
        """One user less. Idle jump hosts stay for the next connection, until the transport is closed."""
        with self._lock:
            jump.users -= used
            if jump.users or not self._closed or self._jumps.pop(way, None) is None:
                return
        if jump.link is not None:
            jump.link.close()
        jump.release()


def _dial(target: Target, hop: Hop) -> Stream:
    """Return a socket, how to learn what went wrong with it, and how to close what stands behind it."""
    if hop.proxy_command is not None:
        proxy = ProxyCommand(hop.proxy_command)
        return proxy.sock, proxy.said, proxy.close
    try:
        return connect(hop.host, hop.port, hop.timeout), str, _nothing
    except OSError as error:
        why = f"{hop.host} port {hop.port}: {error.strerror or error}"
        raise failure(failures.of_os_error(error), target, why) from None


def _forward(target: Target, over: Link, hop: Hop) -> Stream:
    from paramiko.ssh_exception import ChannelException

    pipe = over.open_pipe((hop.host, hop.port))
    try:
        over.settle(pipe, hop.timeout)
    except (ChannelException, LinkDown, Late) as error:
        over.forget(pipe)
        why = error.text if isinstance(error, ChannelException) else str(error)
        raise failure(failures.FORWARD, target, f"{hop.host} port {hop.port}: {why}") from None
    stream = Forwarded(over, pipe)
    return stream, str, stream.close


def _greet(target: Target, hop: Hop, dial: Callable[[], Stream], session: bool) -> Reached:
    stream = dial()
    import_paramiko()
    from coreops.transport.greeting import greet

    return greet(target, hop, stream, dial, session)
