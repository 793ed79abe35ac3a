"""The default transport: SSH through paramiko, strict host keys, ssh_config, agent and jump hosts.

Round trips of a cold connection and one exchange, measured over a delayed link to OpenSSH 9.2: 8. TCP 1, banners and
proposals 2, key exchange 1, then service request, signature and session in one breath 2 (sshd holds the second answer
back until the first is acknowledged), command until sshd opens its window 1, input until output 1.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from paramiko.ssh_exception import ChannelException, IncompatiblePeer, SSHException

from coreops.errors import UnreachableError
from coreops.model import Target
from coreops.transport import failures
from coreops.transport.become import launch, unlock
from coreops.transport.dial import Forwarded, ProxyCommand, connect
from coreops.transport.failures import failure
from coreops.transport.keys import LazyAgent, candidates
from coreops.transport.link import Link
from coreops.transport.packets import Late, LinkDown, NotAllowed
from coreops.transport.pipe import Pipe
from coreops.transport.protocol import Chunk
from coreops.transport.session import Ended, Session
from coreops.transport.sshconfig import Hop, resolve

Stream = tuple[Any, Callable[[], str], Callable[[], None]]
Reached = tuple[Link, Pipe | None, Callable[[], None]]
MAX_UNREAD = 64 << 20
ATTEMPTS = 8
LAST_WORDS = 1.0


class ParamikoSession(Session):
    """One command on one channel."""

    def __init__(self, target: Target, command: str, link: Link, pipe: Pipe) -> None:
        super().__init__(target, launch(command, target))
        self._link = link
        self._pipe = pipe
        self._over_since: float | None = None
        link.run_command(pipe, self.started.command)

    def _read(self, timeout: float) -> Chunk | None:
        pipe = self._pipe
        deadline = time.monotonic() + timeout

        def happened() -> bool:
            return bool(pipe.chunks) or pipe.closed or (self._over_since is None and pipe.exited)

        while True:
            left = deadline - time.monotonic()
            if self._over_since is not None:
                # a dead command's children may hold its pipes open for ever: do not wait long for them
                left = min(left, self._over_since + LAST_WORDS - time.monotonic())
            try:
                self._link.wait(pipe, happened, max(0.0, left))
            except LinkDown as error:
                raise self._broken(error) from None
            if pipe.chunks:
                return pipe.take()
            now = time.monotonic()
            if pipe.closed or (self._over_since is not None and now >= self._over_since + LAST_WORDS):
                raise self._end()
            if self._over_since is None and pipe.exited:
                self._over_since = now
            elif now >= deadline:
                return None

    def _end(self) -> Exception:
        pipe = self._pipe
        if pipe.exited:
            return Ended(None if pipe.exit_signal else pipe.exit_status, signal=pipe.exit_signal)
        if not self._spoke:
            return failure(failures.SHELL, self.target, "sshd refused to start the command")
        return Ended(why="sshd closed the session without an exit status")

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        patience = self._link.packetizer.stall / 2
        while view:
            try:
                sent = self._link.put(self._pipe, view, patience, or_chunks=self._room())
            except Late:
                if self._room() and self._pipe.chunks:
                    self._set_aside()
                elif not self._link.keepalive(patience):
                    raise failure(failures.SILENT, self.target, "no room for more input and no keepalive") from None
                continue
            except LinkDown as error:
                raise self._broken(error) from None
            if sent == 0:
                raise self._end()
            view = view[sent:]

    def _room(self) -> bool:
        return sum(len(chunk.data) for chunk in self._pending) < MAX_UNREAD

    def _set_aside(self) -> None:
        """While the peer takes nothing, read what it says: it may wait for us to do so."""
        while self._pipe.chunks:
            chunk = self._pipe.take()
            self._note(chunk)
            self._pending.append(chunk)

    def _broken(self, error: LinkDown) -> UnreachableError:
        cause = failures.CLOSED if str(error) == "closed" else failures.LOST
        return failure(cause, self.target, str(error))

    def close(self) -> None:
        with contextlib.suppress(LinkDown):  # nothing left to tell the peer
            self._pipe.close()
        self._link.forget(self._pipe)


class ParamikoConnection(ParamikoSession):
    """The session that owns its link."""

    def __init__(self, target: Target, command: str, link: Link, pipe: Pipe, release: Callable[[], None]) -> None:
        self._release = release
        super().__init__(target, command, link, pipe)

    def alive(self, timeout: float) -> bool:
        return self._link.keepalive(timeout)

    def aside(self, command: str, timeout: float) -> tuple[int, bytes]:
        deadline = time.monotonic() + timeout
        session = None
        try:
            pipe = self._link.open_pipe()
            self._link.settle(pipe, timeout)
            session = ParamikoSession(self.target, command, self._link, pipe)
            unlock(session, session.started, self.target, deadline - time.monotonic())
            return session.collect(max(0.0, deadline - time.monotonic()))
        except LinkDown as error:
            raise self._broken(error) from None
        except Late:
            raise failure(failures.SILENT, self.target, f"no second session in {timeout:g} s") from None
        except ChannelException as error:
            raise failure(failures.SHELL, self.target, f"no second session: {error.text}") from None
        finally:
            if session is not None:
                session.close()

    def close(self) -> None:
        self._link.close()
        release, self._release = self._release, _nothing
        release()


def _nothing() -> None:
    """Released already."""


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
        try:
            if pipe is None:
                pipe = link.open_pipe()
            link.settle(pipe, target.connect_timeout)
            connection = ParamikoConnection(target, command, link, pipe, release)
            unlock(connection, connection.started, target, target.connect_timeout)
        except BaseException as error:
            link.close()
            release()
            if isinstance(error, LinkDown):
                raise failure(failures.LOST, target, str(error)) from None
            if isinstance(error, Late):
                raise failure(failures.START_TIMEOUT, target, "sshd opened no session") from None
            if isinstance(error, ChannelException):
                raise failure(failures.SHELL, target, f"sshd opened no session: {error.text}") from None
            raise
        return connection

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
    """Handshake and authentication. sshd drops connections at random when many come at once: try again, spread out."""
    deadline = time.monotonic() + hop.timeout
    for attempt in range(1, ATTEMPTS + 1):
        sock, said, release = dial()
        link = Link(sock, hop.host_keys.key_types())
        try:
            _handshake(target, hop, link, said)
            return link, _authenticate(target, hop, link, session), release
        except _Dropped as dropped:
            link.close()
            release()
            pause = random.uniform(0.05, 0.2) * attempt
            if attempt == ATTEMPTS or time.monotonic() + pause > deadline:
                raise dropped.error from None
            time.sleep(pause)  # not for luck: sshd counts connections that have not logged in yet
        except BaseException:
            link.close()
            release()
            raise
    raise AssertionError("unreachable")


class _Dropped(Exception):
    """The server hung up before it said anything. Internal."""

    def __init__(self, error: UnreachableError) -> None:
        super().__init__(str(error))
        self.error = error


def _handshake(target: Target, hop: Hop, link: Link, said: Callable[[], str]) -> None:
    at = f"{hop.host} port {hop.port}"
    try:
        link.handshake(hop.timeout)
    except Late as error:
        cause = failures.BANNER_TIMEOUT if str(error) == "banner" else failures.KEX_TIMEOUT
        raise failure(cause, target, f"{at}: nothing came in {hop.timeout:g} s") from None
    except LinkDown as error:
        why = "; ".join(filter(None, (f"{at}: {error}", said(), *link.stray_lines[:3])))
        if isinstance(link.saved_exception, IncompatiblePeer):
            raise failure(failures.KEX, target, why) from None
        if hop.proxy_command is not None:
            raise failure(failures.PROXY_COMMAND, target, why) from None
        if link.remote_version:
            raise failure(failures.KEX, target, why) from None
        if link.stray_lines and "MaxStartups" not in why:
            raise failure(failures.NOT_SSH, target, why) from None
        raise _Dropped(failure(failures.RESET, target, why)) from None
    except SSHException as error:
        cause = failures.KEX if isinstance(error, IncompatiblePeer) else failures.NOT_SSH
        raise failure(cause, target, "; ".join((f"{at}: {error}", *link.stray_lines[:3]))) from None
    key = link.host_key
    hop.host_keys.check(key.get_name(), key.asbytes())


def _authenticate(target: Target, hop: Hop, link: Link, session: bool) -> Pipe | None:
    agent = LazyAgent()
    try:
        keys = candidates(hop.identity_files, hop.default_keys, agent, target.name)
        offered = ", ".join(key.fingerprint for key in keys)
        who = f"user {hop.user} at {hop.host} port {hop.port}"
        if not keys:
            raise failure(failures.NO_KEY, target, f"{who}: no key file, and ssh-agent holds none")
        return link.authenticate(hop.user, keys, hop.timeout, session)
    except NotAllowed as error:
        cause = failures.PARTIAL_AUTH if "artial" in str(error) else failures.AUTH
        raise failure(cause, target, f"{who}: offered {offered}") from None
    except Late:
        raise failure(failures.AUTH_TIMEOUT, target, f"{who}: no answer in {hop.timeout:g} s") from None
    except LinkDown as error:
        raise failure(failures.AUTH, target, f"{who}: offered {offered}; {error}") from None
    except SSHException as error:
        raise failure(failures.AUTH, target, f"{who}: {error}") from None
    finally:
        agent.close()
