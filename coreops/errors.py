"""Every error coreops shows, and the exit code each one ends the program with.

::

    CoreopsError            1  something failed
    ├── InputError          2  bad input or usage; nothing was touched
    ├── HostFailed          1  a task failed on a host
    ├── UnreachableError    3  a host could not be reached (``kind`` says at which stage)
    ├── RefusedError        4  refused for safety: quorum, lock, window
    └── InterruptedRun      5  stopped by the operator; the run can be resumed

An error says what happened, where (host or file:line:column), why, and the next step. It never carries a secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from enum import IntEnum
from typing import Literal


class ExitCode(IntEnum):
    """Process exit codes (DESIGN: contracts)."""

    DONE = 0
    FAILED = 1
    BAD_INPUT = 2
    UNREACHABLE = 3
    REFUSED = 4
    INTERRUPTED = 5


class CoreopsError(Exception):
    """Base of all errors meant for the operator.

    what: one line, no trailing full stop. where: a host name or a Position (anything whose ``str`` is file:line:col).
    why: the cause, verbatim where another program said it. next: what the operator can do now.
    """

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, what: str, *, where: object = None, why: str | None = None, next: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = None if where is None else str(where)
        self.why = why
        self.next = next

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.why:
            parts.append(f"  why: {self.why}")
        if self.next:
            parts.append(f"  next: {self.next}")
        return "\n".join(parts)


class InputError(CoreopsError):
    """Bad input or usage. Raised before anything is touched."""

    exit_code = ExitCode.BAD_INPUT


class HostFailed(CoreopsError):
    """A task failed on a host."""


UnreachableKind = Literal["dns", "tcp", "proxy", "key exchange", "host key", "auth", "sudo", "shell", "timeout", "lost"]


class UnreachableError(CoreopsError):
    """A host could not be reached, or the connection was lost. ``kind`` names the stage that failed."""

    exit_code = ExitCode.UNREACHABLE

    def __init__(
        self, kind: UnreachableKind, what: str, *, where: object = None, why: str | None = None, next: str | None = None
    ) -> None:
        super().__init__(what, where=where, why=why, next=next)
        self.kind = kind


class RefusedError(CoreopsError):
    """Refused for safety; doing it would put the cluster at risk."""

    exit_code = ExitCode.REFUSED


class InterruptedRun(CoreopsError):
    """The operator stopped the run; it can be resumed."""

    exit_code = ExitCode.INTERRUPTED


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return ``did you mean 'x'?`` for the nearest known word, or None when nothing is near."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else None


def counted(number: int, noun: str) -> str:
    """``1 host``, ``2 hosts``."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
