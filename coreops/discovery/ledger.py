"""Tokens and who registered, in a database that outlives the server, also by ``kill -9``. Knows no HTTP.

A token is made once and never taken back; several programs may use a ledger at a time. Tokens are in it as they are:
the file is for its owner only.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from coreops.discovery.registry import Hello, Member, Refusal, Refused, Token, judge
from coreops.errors import InputError, RefusedError, counted
from coreops.serving.base import Base

MOST_TOKENS: Final = 100_000
MOST_HELLOS: Final = 5_000
"""So many machines of a token wait to be adopted; who tells may be anybody who knows it."""
MOST_REFUSALS: Final = 32
"""So many surplus members of a token are remembered; who asks may be anybody."""
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS count (n INTEGER NOT NULL);
INSERT INTO count SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM count);
CREATE TABLE IF NOT EXISTS tokens (
  token TEXT PRIMARY KEY, size INTEGER NOT NULL, n INTEGER NOT NULL, at REAL NOT NULL,
  cluster TEXT NOT NULL, base TEXT NOT NULL, replaced REAL NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX IF NOT EXISTS one_a_cluster ON tokens (cluster) WHERE cluster != '' AND replaced = 0;
CREATE TABLE IF NOT EXISTS members (
  token TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL, n INTEGER NOT NULL, at REAL NOT NULL,
  peer TEXT NOT NULL, PRIMARY KEY (token, id));
CREATE TABLE IF NOT EXISTS refusals (
  token TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, why TEXT NOT NULL, at REAL NOT NULL,
  peer TEXT NOT NULL, times INTEGER NOT NULL, PRIMARY KEY (token, id));
CREATE TABLE IF NOT EXISTS hellos (
  token TEXT NOT NULL, machine TEXT NOT NULL, text TEXT NOT NULL, at REAL NOT NULL, peer TEXT NOT NULL,
  PRIMARY KEY (token, machine));
"""


class Ledger(Base):
    """A ledger's file. ``with Ledger(path) as ledger``; may be used by many threads. Raises InputError.

    make: whether a file that is not there is made.
    """

    unusable = "the ledger cannot be used"
    advice = "pass --ledger FILE"
    failed = "the ledger cannot be read or written"

    def __init__(self, path: Path, clock: Callable[[], float] = time.time, *, make: bool = True) -> None:
        if not make and not path.exists():
            raise InputError("there is no ledger", where=path, next="coreops discovery new makes one; or --ledger FILE")
        self.path = path
        self._clock = clock
        super().__init__(path, _TABLES.split(";\n"), path)

    def new(
        self,
        size: int,
        base: str,
        cluster: str = "",
        replaces: str = "",
        publish: Callable[[str], None] = lambda token: None,
    ) -> Token:
        """Make a token. base: the server's URL. replaces: the token that a cluster had.

        publish: tell it to who must know it; when that fails, there is no token.

        Raises RefusedError where a cluster has another one.
        """
        with self._changing() as db:
            if db.execute("SELECT count(*) FROM tokens").fetchone()[0] >= MOST_TOKENS:
                raise RefusedError(f"there are {MOST_TOKENS} tokens, which is too many to be right", where=self.path)
            row = db.execute(
                "SELECT token FROM tokens WHERE cluster = ? AND cluster != '' AND replaced = 0", (cluster,)
            ).fetchone()
            if row and row[0] != replaces:
                raise _has_one(_token(db, row[0]))
            now = self._clock()
            if row:
                db.execute("UPDATE tokens SET replaced = ? WHERE token = ?", (now, replaces))
            token = Token(secrets.token_hex(16), size, _count(db), now, cluster, base)
            db.execute(
                "INSERT INTO tokens (token, size, n, at, cluster, base) VALUES (?, ?, ?, ?, ?, ?)",
                (token.token, size, token.index, now, cluster, base),
            )
            publish(token.token)
        return token

    def get(self, token: str) -> tuple[Token | None, int]:
        """A token with all that belongs to it, and the index that this is as of."""
        with self._reading() as base:
            row = base.execute("SELECT token FROM tokens WHERE token = ?", (token,)).fetchone()
            return (_token(base, token) if row else None), _index(base)

    def register(self, token: str, id: str, value: str, peer: str) -> tuple[Token, Member | Refused, bool]:
        """Let a member register under a token that exists; True: it is new. What was refused is remembered."""
        with self._changing() as base:
            before = _token(base, token)
            found = judge(before, id, value, peer)
            now = self._clock()
            if isinstance(found, Member):
                return before, found, False
            if isinstance(found, Refused):
                _remember(base, token, Refusal(id, value.partition("=")[0][:80], found.why, now, peer, 1))
                return before, found, False
            member = Member(id, value, _count(base), now, peer)
            base.execute("INSERT INTO members VALUES (?, ?, ?, ?, ?, ?)", (token, id, value, member.index, now, peer))
            return _token(base, token), member, True

    def hear(self, token: str, machine: str, text: str, peer: str) -> bool:
        """Keep what a machine told of itself, in place of what it told before; True: it is new.

        Raises RefusedError when too many have.
        """
        with self._changing() as base:
            old = base.execute("SELECT 1 FROM hellos WHERE token = ? AND machine = ?", (token, machine)).fetchone()
            many = base.execute("SELECT count(*) FROM hellos WHERE token = ?", (token,)).fetchone()[0]
            if old is None and many >= MOST_HELLOS:
                raise RefusedError(f"{MOST_HELLOS} machines have told who they are, which is too many", where=self.path)
            base.execute(
                "INSERT OR REPLACE INTO hellos VALUES (?, ?, ?, ?, ?)", (token, machine, text, self._clock(), peer)
            )
            return old is None

    def hellos(self, token: str) -> tuple[Hello, ...]:
        """The machines that told who they are, the latest last."""
        with self._reading() as base:
            rows = base.execute("SELECT machine, text, at, peer FROM hellos WHERE token = ? ORDER BY at", (token,))
            return tuple(Hello(*row) for row in rows)

    def foreign(self) -> int:
        """A number that changes when another program has changed the ledger."""
        with self._lock:
            try:
                return int(self._base.execute("PRAGMA data_version").fetchone()[0])
            except sqlite3.Error as error:
                raise self._failed(error) from error

    def all(self) -> tuple[Token, ...]:
        """Every token, the oldest first."""
        with self._reading() as base:
            rows = base.execute("SELECT token FROM tokens ORDER BY n").fetchall()
            return tuple(_token(base, row[0]) for row in rows)


def _count(base: sqlite3.Connection) -> int:
    base.execute("UPDATE count SET n = n + 1")
    return _index(base)


def _index(base: sqlite3.Connection) -> int:
    return int(base.execute("SELECT n FROM count").fetchone()[0])


def _token(base: sqlite3.Connection, token: str) -> Token:
    row = base.execute(
        "SELECT token, size, n, at, cluster, base, replaced FROM tokens WHERE token = ?", (token,)
    ).fetchone()
    members = base.execute("SELECT id, value, n, at, peer FROM members WHERE token = ? ORDER BY n", (token,))
    refused = "SELECT id, name, why, at, peer, times FROM refusals WHERE token = ? ORDER BY at"
    refusals = base.execute(refused, (token,))
    return replace(
        Token(*row),
        members=tuple(Member(*each) for each in members),
        refusals=tuple(Refusal(*each) for each in refusals),
    )


def _remember(base: sqlite3.Connection, token: str, one: Refusal) -> None:
    base.execute(
        "INSERT INTO refusals VALUES (?, ?, ?, ?, ?, ?, 1) ON CONFLICT (token, id) DO UPDATE SET"
        " name = excluded.name, why = excluded.why, at = excluded.at, peer = excluded.peer, times = times + 1",
        (token, one.id, one.name, one.why, one.at, one.peer),
    )
    base.execute(
        "DELETE FROM refusals WHERE token = ? AND id NOT IN"
        " (SELECT id FROM refusals WHERE token = ? ORDER BY at DESC LIMIT ?)",
        (token, token, MOST_REFUSALS),
    )


def _has_one(token: Token) -> RefusedError:
    return RefusedError(
        f"the cluster {token.cluster} has a token",
        why=f"{len(token.members)} of {counted(token.size, 'member')} have registered under it: "
        "another token would begin a second cluster",
        next=f"coreops discovery show {token.cluster} prints the one it has; "
        f"once the cluster is gone for good: --replaces {token.id}",
    )
