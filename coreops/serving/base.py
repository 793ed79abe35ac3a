"""A database of what a server must not forget, also by ``kill -9``: its owner's only, shared by threads and processes.

Knows SQLite, and nothing of what is kept.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from coreops.errors import CoreopsError, InputError

WAIT = 10.0
"""Seconds to wait while another process changes it."""


class Base:
    """A database in one file. ``with`` closes it. Raises InputError where there can be none.

    unusable, advice: what is said where there can be none. failed: where it fails later. where: what messages name.
    """

    unusable: ClassVar[str]
    advice: ClassVar[str]
    failed: ClassVar[str]

    def __init__(self, path: Path, tables: Iterable[str], where: Path) -> None:
        self._where = where
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            os.chmod(path, 0o600)
            self._base = sqlite3.connect(path, WAIT, check_same_thread=False, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error
        try:
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=FULL")
            with self._changing() as base:
                for statement in tables:
                    base.execute(statement)
        except (sqlite3.Error, CoreopsError) as error:
            self._base.close()
            raise self._unusable(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._base.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._transaction("BEGIN") as base:
            yield base

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """On the disk when the block has ended, or nothing of it."""
        with self._transaction("BEGIN IMMEDIATE") as base:
            yield base

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._base.execute(begin)
                try:
                    yield self._base
                except BaseException:
                    self._base.execute("ROLLBACK")
                    raise
                self._base.execute("COMMIT")
            except (sqlite3.Error, OSError) as error:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                raise self._failed(error) from error

    def _failed(self, error: Exception) -> CoreopsError:
        return CoreopsError(self.failed, where=self._where, why=_why(error))

    def _unusable(self, error: Exception) -> InputError:
        return InputError(self.unusable, where=self._where, why=_why(error), next=self.advice)


def _why(error: Exception) -> str:
    return (error.why if isinstance(error, CoreopsError) else getattr(error, "strerror", None)) or str(error)
