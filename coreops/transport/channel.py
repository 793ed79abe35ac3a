"""A command on a channel of a link: paramiko's kind of session, and the connection that owns its link."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from paramiko.ssh_exception import ChannelException

from coreops.errors import UnreachableError
from coreops.model import Target
from coreops.transport import failures
from coreops.transport.become import launch, unlock
from coreops.transport.failures import failure
from coreops.transport.link import Link
from coreops.transport.pipe import Pipe
from coreops.transport.protocol import Chunk
from coreops.transport.session import Ended, Session
from coreops.transport.trouble import Late, LinkDown

MAX_UNREAD = 64 << 20
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


def begin(
    target: Target, command: str, link: Link, pipe: Pipe | None, release: Callable[[], None]
) -> ParamikoConnection:
    """Start the command on a link that has logged in. release: what to do when the connection ends."""
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
