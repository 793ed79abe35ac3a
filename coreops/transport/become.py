"""Running a command as root: the command line for sudo, its answers, and the hand-over of a password.

The password goes to sudo's stdin, only when sudo asks for it, and once only (wrong guesses lock accounts). Pure but for
``unlock``, which talks over an open session.
"""

from __future__ import annotations

import re
import secrets
import shlex
import time
from typing import Protocol

from coreops.frozen import frozen
from coreops.model import Target
from coreops.transport import failures
from coreops.transport.failures import Cause, failure
from coreops.transport.protocol import Chunk

SUDO_SAYS: tuple[tuple[str, Cause], ...] = (
    (r"sudo: .*(must have a tty|no tty present and no askpass)", failures.SUDO_TTY),
    (r"sudo: (a password is required|interactive authentication is required)", failures.SUDO_PASSWORD),
    (r"sudo: a terminal is required to read the password", failures.SUDO_PASSWORD),
    (r"sudo: (\d+ incorrect password attempt|no password was provided)", failures.SUDO_WRONG),
    (r"(not in the sudoers file|^sorry, user .* (is not allowed|may not run))", failures.SUDO_DENIED),
    (r"sudo: .*(account validation failure|must be owned by uid 0|parse error in)", failures.SUDO_DENIED),
    (r"sudo: (command )?not found|sudo: no such file", failures.SUDO_MISSING),
)


def sudo_cause(stderr: str) -> Cause | None:
    """Name what sudo complained about, or None when this is not sudo's complaint (a warning is none)."""
    return next(
        (cause for pattern, cause in SUDO_SAYS if re.search(pattern, stderr, re.MULTILINE | re.IGNORECASE)), None
    )


@frozen
class Launch:
    """A command line to start, and the words to expect on stderr when a password may be asked for."""

    command: str
    prompt: bytes = b""
    ready: bytes = b""


def launch(command: str, target: Target) -> Launch:
    """Wrap ``command`` for the target's privileges. It runs in a POSIX sh, whatever the login shell is."""
    if not target.become:
        return Launch(f"exec sh -c {shlex.quote(command)}")
    if target.become_password is None:
        return Launch(f"exec sudo -n -- sh -c {shlex.quote(command)}")
    nonce = secrets.token_hex(8)
    inner = f"printf %s ready-{nonce} >&2; {command}"
    return Launch(
        f"exec sudo -S -p password-{nonce} -- sh -c {shlex.quote(inner)}",
        prompt=f"password-{nonce}".encode(),
        ready=f"ready-{nonce}".encode(),
    )


class Unlockable(Protocol):
    """What ``unlock`` needs of a session."""

    def send(self, data: bytes) -> None: ...
    def receive(self, timeout: float) -> Chunk | None: ...
    def unread(self, chunk: Chunk) -> None: ...


def unlock(session: Unlockable, started: Launch, target: Target, timeout: float) -> None:
    """Wait until the command runs as root; answer sudo's prompt once. Raises UnreachableError(kind "sudo")."""
    if target.become_password is None or not started.ready:
        return
    deadline = time.monotonic() + timeout
    seen = b""
    asked = False
    early: list[Chunk] = []
    while started.ready not in seen:
        chunk = session.receive(max(0.0, deadline - time.monotonic()))
        if chunk is None:
            raise failure(failures.START_TIMEOUT, target, "sudo neither asked for a password nor started the command")
        if chunk.stream == 1:
            early.append(chunk)
            continue
        seen += chunk.data
        prompts = seen.count(started.prompt)
        if prompts > 1 or (asked and b"try again" in seen):
            raise failure(failures.SUDO_WRONG, target, "sudo asked for the password again")
        if prompts and not asked:
            asked = True
            session.send(target.become_password.encode() + b"\n")
    rest = seen.partition(started.ready)[2]
    for chunk in [*early, *([Chunk(2, rest)] if rest else [])]:
        session.unread(chunk)
