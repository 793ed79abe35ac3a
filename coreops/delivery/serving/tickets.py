"""What is given out once: one ticket a node, in a database of its own that outlives the server, also by ``kill -9``.

A ticket is open, then ``sending`` to one peer, then served. A sending that nobody saw end well belongs to its peer: it
may ask again, another may not. Only hashes of tokens are kept. Several servers may share a folder. Knows no HTTP.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Literal

from coreops.serving.base import Base
from coreops.serving.wire import Ending

FILE: Final = "tickets.db"
_SERVER: Final = "server-"
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS tickets (
  node TEXT PRIMARY KEY, hash TEXT UNIQUE, issued REAL,
  state TEXT NOT NULL, peer TEXT, at REAL, server TEXT, claim TEXT)
"""

State = Literal["open", "sending", "in doubt", "served"]


@dataclass(frozen=True, slots=True)
class Ticket:
    """A node's ticket. id: the beginning of its token's hash, "" without a token. at: when it became what it is."""

    node: str
    id: str = ""
    issued: float | None = None
    state: State = "open"
    peer: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to send once; ``end`` it. id "": a repetition, nothing is to be ended."""

    node: str
    id: str
    before: State = "open"


@dataclass(frozen=True, slots=True)
class Denied:
    """Not to be sent. busy: it is being sent right now; else it was, to ``ticket.peer``."""

    ticket: Ticket
    busy: bool


class Tickets(Base):
    """The tickets in a folder. ``with Tickets(folder) as tickets``; may be used by many threads. Raises InputError."""

    unusable = "the state of what was served cannot be kept"
    advice = "pass --state DIR"
    failed = "the state of what was served cannot be read or written"

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._flying: set[str] = set()
        self._server = secrets.token_hex(8)
        self._alive: int | None = None
        super().__init__(folder / FILE, [_TABLE], folder)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self._alive is not None:
            os.close(self._alive)
            (self._folder / f"{_SERVER}{self._server}").unlink(missing_ok=True)

    def issue(self, node: str) -> str:
        """Return a new token for a node, whose ticket is open again; the old token is worth nothing."""
        token = secrets.token_hex(16)
        row = (node, _hash(token), self._clock(), self._clock())
        with self._changing() as base:
            base.execute("REPLACE INTO tickets (node, hash, issued, state, at) VALUES (?, ?, ?, 'open', ?)", row)
        return token

    def owner(self, token: str) -> Ticket | None:
        """The ticket that a token belongs to."""
        with self._reading() as base:
            row = base.execute(f"{_SELECT} WHERE hash = ?", (_hash(token),)).fetchone()
        return _ticket(row) if row else None

    def all(self) -> dict[str, Ticket]:
        """Every ticket that was issued or used, by its node."""
        with self._reading() as base:
            return {row[0]: _ticket(row) for row in base.execute(f"{_SELECT} ORDER BY node")}

    def begin(self, node: str, peer: str, grace: float, *, look: bool = False) -> Claim | Denied:
        """Claim a node's ticket for a peer. What follows must ``end`` it. look: only say whether that is possible."""
        with self._changing() as base:
            row = base.execute(f"{_SELECT} WHERE node = ?", (node,)).fetchone()
            ticket = _ticket(row) if row else Ticket(node)
            state = ticket.state
            if state == "sending":
                server, claim = base.execute("SELECT server, claim FROM tickets WHERE node = ?", (node,)).fetchone()
                if self._in_flight(server, claim):
                    return Denied(ticket, busy=True)
                state = "in doubt"
            now = self._clock()
            if state == "served":
                again = ticket.peer == peer and 0 <= now - ticket.at <= grace
                return Claim(node, "") if again else Denied(ticket, busy=False)
            if state == "in doubt" and ticket.peer != peer:
                return Denied(ticket, busy=False)
            if look:
                return Claim(node, "")
            self._live()
            claim = secrets.token_hex(8)
            base.execute("INSERT OR IGNORE INTO tickets (node, state) VALUES (?, 'open')", (node,))
            base.execute(
                "UPDATE tickets SET state = 'sending', peer = ?, at = ?, server = ?, claim = ? WHERE node = ?",
                (peer, now, self._server, claim, node),
            )
            self._flying.add(claim)
            return Claim(node, claim, state)

    def end(self, claim: Claim, ending: Ending) -> None:
        """Say how a sending ended. A ticket that was issued again meanwhile stays open."""
        if not claim.id:
            return
        state: State = "served" if ending == "delivered" else "in doubt" if ending == "in doubt" else claim.before
        try:
            with self._changing() as base:
                base.execute(
                    "UPDATE tickets SET state = ?, at = ? WHERE node = ? AND claim = ?",
                    (state, self._clock(), claim.node, claim.id),
                )
        finally:
            self._flying.discard(claim.id)

    def _in_flight(self, server: str, claim: str) -> bool:
        """Whether a claim's server lives and is at it. A dead one's lock is free."""
        if server == self._server:
            return claim in self._flying
        try:
            handle = os.open(self._folder / f"{_SERVER}{server}", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        (self._folder / f"{_SERVER}{server}").unlink(missing_ok=True)
        return False

    def _live(self) -> None:
        """Hold a lock for as long as this process lives."""
        if self._alive is None:
            path = self._folder / f"{_SERVER}{self._server}"
            self._alive = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._alive, fcntl.LOCK_EX)


_SELECT: Final = "SELECT node, hash, issued, state, peer, at FROM tickets"


def _ticket(row: tuple[str, str | None, float | None, State, str | None, float | None]) -> Ticket:
    node, digest, issued, state, peer, at = row
    return Ticket(node, identify(digest) if digest else "", issued, state, peer or "", at or 0.0)


def identify(digest: str) -> str:
    """What a log may call a token."""
    return digest[:8]


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
