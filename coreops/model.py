"""The frozen data that every part of coreops shares. Knows nothing of the other packages and does no I/O.

A *task* (playbook) becomes *steps* (modules), steps become a *segment* of POSIX sh (shell), a node answers each step
with one *record* (engine), and the records of a task become its *TaskResult*.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

from coreops.frozen import frozen


@frozen
class Position:
    """A place in a file the operator wrote. line and column count from 1; 0 means unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return ":".join([self.file, *(str(n) for n in (self.line, self.column) if n)])


@frozen
class Blob:
    """Content that travels by its hash: either ``data`` (bytes in memory) or ``path`` (a file on the controller).

    offset: where in the file the ``size`` bytes begin.
    """

    sha256: str
    size: int
    data: bytes | None = field(default=None, repr=False)
    path: Path | None = None
    offset: int = 0

    @classmethod
    def of(cls, data: bytes) -> Blob:
        """Wrap bytes."""
        return cls(hashlib.sha256(data).hexdigest(), len(data), data=data)

    @classmethod
    def from_file(cls, path: Path) -> Blob:
        """Hash a file without holding it in memory. Raises OSError."""
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            return cls(digest, stream.tell(), path=path)


@frozen(kw_only=True)
class FileStep:
    """One path and the state it must have. Consecutive FileSteps are probed together: one stat, one sha256sum.

    kind "file" with content None changes attributes only and fails when the path is missing. owner and group are
    names or decimal ids. mode, owner, group None: keep what is there; new files get 0644 (directories 0755), the
    connection's user. ``follow``: when path is a symbolic link, work on what it points to. ``force`` False: write
    content only when the path is missing. ``secret``: content never appears in a diff.
    """

    id: str
    title: str
    path: str
    kind: Literal["file", "directory", "link", "absent"]
    content: Blob | None = None
    target: str | None = None
    mode: int | None = None
    owner: str | None = None
    group: str | None = None
    follow: bool = False
    force: bool = True
    secret: bool = False
    ignore_errors: bool = False


@frozen
class Reconnect:
    """After this step the node goes away and must come back with a new boot id within ``timeout`` seconds."""

    timeout: float = 600.0


@frozen(kw_only=True)
class ShellStep:
    """A probe and an act in POSIX sh. Each runs by itself: ``sh -c``, ``</dev/null``, own process group, a deadline.

    probe: exit 0 = the wanted state holds, 1 = act is needed, anything else = failed (stderr says why). Its stdout is
    data. None: act always. act: exit 0 = changed, anything else = failed. None: probe only (a query).
    ``once``: act is not idempotent; the node remembers it, so a segment sent again after a lost connection reports
    the first outcome instead of acting twice. ``blobs``: asked for only when act is needed; act finds their paths in
    $blob1, $blob2, ... ``stdin``: streamed into act, which must read all of it or fail; no copy is kept. ``env`` is
    exported for probe and act, never shown in argv. ``cwd``: the directory to run in. ``in_check``: act runs in check
    mode too. ``timeout``: seconds, for probe and act each. ``changes`` False: a successful act is reported "ok" rather
    than "changed". ``reconnect``: ends the segment. ``secret``: what it says is for templates only, never for a journal
    or a log.
    """

    id: str
    title: str
    probe: str | None = None
    act: str | None = None
    blobs: tuple[Blob, ...] = ()
    stdin: Blob | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = "/"
    once: bool = False
    in_check: bool = False
    changes: bool = True
    timeout: float = 600.0
    ignore_errors: bool = False
    secret: bool = False
    reconnect: Reconnect | None = None


Step = FileStep | ShellStep


@frozen
class Segment:
    """Steps that a node can work through without asking the controller, all as one user.

    user None: the connection's shell (root when the connection was opened with become). A failed step without
    ``ignore_errors`` ends the segment. check: probe, never act. diff: report what the probe found, for a diff.
    """

    id: str
    steps: tuple[Step, ...]
    user: str | None = None
    check: bool = False
    diff: bool = False


RecordState = Literal["ok", "changed", "would", "failed", "skipped", "unknown"]


@frozen
class Record:
    """What a node reported for one step.

    state: ok, changed, would (check mode: act is needed), failed, skipped (check mode: an act without a probe), unknown
    (an act that is not idempotent was cut off; nobody knows how far it came). before: stdout of a probe that was
    followed by (or would need) an act; for a FileStep the line ``TYPE+MODE in hex:aMODE:sSIZE:uUID:Uuser:gGID:Ggroup``
    or ``-`` when absent, and in diff mode a newline and the old content. stdout and stderr: of the part that decided.
    truncated: bytes dropped.
    """

    step: str
    state: RecordState
    rc: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    before: bytes = b""
    truncated: int = 0
    seconds: float = 0.0


@frozen
class TaskResult:
    """The outcome of a task (or of one loop item) on one host; ``data`` is what ``register`` stores, in Ansible's keys.

    ``secret``: data, message and diff are for templates only and must not be shown or journaled.
    """

    changed: bool = False
    failed: bool = False
    skipped: bool = False
    message: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    diff: str = ""
    secret: bool = False


@frozen
class Target:
    """How to reach one host. Paths are on the controller. ``become``: the shell runs under ``sudo -n``."""

    name: str
    address: str
    port: int | None = None
    user: str | None = None
    identity_files: tuple[Path, ...] = ()
    ssh_args: tuple[str, ...] = ()
    proxy_jump: str | None = None
    transport: Literal["paramiko", "openssh", "local", "fake"] = "paramiko"
    known_hosts: tuple[Path, ...] = ()
    accept_new: bool = False
    become: bool = False
    become_password: str | None = field(default=None, repr=False)
    connect_timeout: float = 15.0
