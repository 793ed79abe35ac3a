"""One host during one run: one connection, one root shell, segments in, records out.

Knows frames and the transport protocol, not what steps mean. When the connection is lost it connects again and sends
the steps that have not been reported; steps that may not act twice are remembered on the node (``co_once``).
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from coreops.engine import patience
from coreops.errors import InterruptedRun, UnreachableError
from coreops.events import Emit, HostConnected, Progress, SegmentSent, StepStarted
from coreops.model import Blob, FileStep, Reconnect, Record, Segment, ShellStep, Step, Target
from coreops.shell.compile import compile_segment, has_files
from coreops.shell.frames import Begun, Ended, Finished, Hello, MarkReader, Message, Need, frame
from coreops.shell.inline import inline
from coreops.shell.quote import q
from coreops.shell.scripts import loader_command, script
from coreops.transport.protocol import Connection, Transport

_CHUNK = 256 * 1024
_PROGRESS_FROM = 1024 * 1024

# Everything in the loader's session dies, the loader last. Field 4 after the command's ")" is the session (proc(5)).
_ABORT = """
read -r l <"/proc/$pid/stat" || exit 0
l=${l##*) }; set -- $l; sid=$4
for p in /proc/[0-9]*; do
  read -r l <"$p/stat" || continue
  l=${l##*) }; set -- $l
  if [ "$4" = "$sid" ] && [ "${p#/proc/}" != "$pid" ]; then kill -TERM "${p#/proc/}"; fi
done 2>/dev/null
kill -KILL "$pid"
"""


class HostSession:
    """The way to one host. Used by one thread at a time; ``stop`` and ``abort`` may come from another."""

    def __init__(
        self,
        target: Target,
        transport: Transport,
        run: str,
        emit: Emit,
        pace: Callable[[int], None] = lambda size: None,
        reconnect: float | None = None,
    ) -> None:
        self.target = target
        self.exchanges = 0
        self.answered = False
        self._transport = transport
        # Two names of one machine must not take each other's steps for their own.
        self._run = f"{run}-{hashlib.sha256(target.name.encode()).hexdigest()[:8]}"
        self._emit = emit
        self._pace = pace
        self._reconnect = patience.RECONNECT if reconnect is None else reconnect
        self._connection: Connection | None = None
        self._reader = MarkReader("")
        self._nonce = ""
        self._sent: set[str] = set()
        self._pid = 0
        self._boot_id = ""
        self._remembers = False
        self._stopping = False

    def exchange(self, segment: Segment) -> Iterator[Record]:
        """Send a segment, yield a record per step as it arrives; a failed step may be the last.

        Raises UnreachableError when the host cannot be reached (again), InterruptedRun after ``stop``.
        """
        left = list(segment.steps)
        deadline: float | None = None
        while True:
            try:
                for record in self._attempt(replace(segment, steps=tuple(left))):
                    step = left.pop(0)
                    deadline = None
                    yield record
                    if isinstance(step, ShellStep) and step.reconnect and record.state == "changed":
                        self._await_reboot(step.reconnect)
                        break
                else:
                    return
                if not left:
                    return
            except UnreachableError as error:
                self._drop()
                if not left:
                    return
                if error.kind in patience.FINAL or self._stopping or (self.exchanges > 1 and not self.answered):
                    raise  # a shell that never said a word gets a second chance, no third
                if self.exchanges == 0:
                    raise
                deadline = deadline or time.monotonic() + self._reconnect
                if time.monotonic() > deadline:
                    raise
                patience.pause(1.0)

    def stop(self) -> None:
        """Finish the current step, then end the segment. Never raises."""
        self._stopping = True
        self._aside(f"kill -USR1 {self._pid}")

    def abort(self) -> None:
        """Kill what the loader runs and the loader itself, then drop the connection. Never raises."""
        self._stopping = True
        self._aside(f"pid={self._pid}; {_ABORT}")
        self._drop()

    def close(self, *, forget: bool) -> None:
        """End the session. ``forget``: nothing of the run needs to stay on the node."""
        if self._connection is not None and forget and self._remembers:
            try:
                self._connection.send(frame(self._nonce, self._run, "co_forget\n"))
                self._connection.send(frame(self._nonce, self._run, "co_mark z bye\n"))
                self._await_bye(self._connection)
            except UnreachableError:
                pass  # what stays is a few small files in a folder of root's
        self._drop()

    def _await_bye(self, connection: Connection) -> None:
        deadline = time.monotonic() + 5
        while (left := deadline - time.monotonic()) > 0:
            chunk = connection.receive(left)
            if chunk and any(isinstance(m, Finished) for m in self._reader.feed(chunk.stream, chunk.data)):
                return

    def _aside(self, command: str) -> None:
        connection = self._connection
        if connection is not None and self._pid:
            try:
                connection.aside(f"sh -c {q(command)}", 10)
            except UnreachableError:
                self._drop()

    def _drop(self) -> None:
        connection, self._connection, self._pid = self._connection, None, 0
        if connection is not None:
            connection.close()

    def _connect(self) -> Connection:
        if self._connection is None:
            began = time.monotonic()
            # sudo writes the command line to the node's log: there it is kept short.
            prelude = not self.target.become
            connection = self._transport.open(self.target, loader_command(prelude=prelude))
            self._nonce = secrets.token_hex(8)
            self._reader = MarkReader(self._nonce)
            self._sent = {"prelude.sh"} if prelude else set()
            self._connection = connection
            self._emit(HostConnected(self.target.name, time.monotonic() - began))
        return self._connection

    def _attempt(self, segment: Segment) -> Iterator[Record]:
        connection = self._connect()
        self._emit(SegmentSent(self.target.name, segment.id, tuple(step.id for step in segment.steps)))
        self.exchanges += 1
        self._remembers = self._remembers or any(getattr(step, "once", False) for step in segment.steps)
        connection.send(frame(self._nonce, self._run, self._text(segment), segment.user))
        began = time.monotonic()
        reported = 0
        for message in self._messages(connection, segment):
            match message:
                case Hello():
                    self._pid, self._boot_id = message.pid, message.boot_id
                    self.answered = True
                    if self._stopping:
                        self.stop()
                case Begun():
                    step = segment.steps[message.index - 1]
                    self._emit(StepStarted(self.target.name, step.id, step.title))
                case Need():
                    self._deliver(connection, [(index, segment.steps[index - 1]) for index in message.indexes])
                case Ended():
                    now = time.monotonic()
                    reported += 1
                    yield record_of(segment.steps[message.index - 1], message, now - began)
                    began = time.monotonic()
                case Finished():
                    self._finished(message, segment, reported)

    def _finished(self, message: Finished, segment: Segment, reported: int) -> None:
        word, _, rest = message.status.partition(" ")
        if word == "fatal":
            self._drop()
        elif word == "stopped":
            raise InterruptedRun(f"stopped before {segment.steps[reported].title}", where=self.target.name)
        elif word == "nouser":
            raise UnreachableError(
                "sudo",
                f"no user {rest!r} to become",
                where=self.target.name,
                next="create the user in an earlier play, or correct become_user",
            )

    def _text(self, segment: Segment) -> str:
        """The frame's sh, with the functions it needs when this shell does not have them yet."""
        needed = ["prelude.sh", *(["files.sh", "contents.sh"] if has_files(segment) else [])]
        if segment.user is None:
            needed = [name for name in needed if name not in self._sent]
            self._sent.update(needed)
        return "".join(script(name) for name in needed) + compile_segment(segment)

    def _messages(self, connection: Connection, segment: Segment) -> Iterator[Message]:
        """Messages up to and including the segment's end; raises when the node falls silent or a step overruns."""
        deadline = time.monotonic() + patience.FIRST_ANSWER
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise UnreachableError(
                    "timeout",
                    "no answer in time",
                    where=self.target.name,
                    why=self._reader.noise.decode(errors="backslashreplace").strip() or None,
                    next="look at the node's load and journal; a longer `timeout:` on the task gives it more time",
                )
            chunk = connection.receive(min(left, patience.SILENCE))
            if chunk is None:
                if not connection.alive(patience.ALIVE):
                    raise UnreachableError(
                        "lost", "connection lost", where=self.target.name, why="the node fell silent"
                    )
                continue
            for message in self._reader.feed(chunk.stream, chunk.data):
                yield message
                if isinstance(message, Finished):
                    return
                # Counted from here: what a Need asked for has been sent meanwhile, at whatever pace.
                deadline = time.monotonic() + patience.for_message(message, segment)

    def _deliver(self, connection: Connection, wanted: list[tuple[int, Step]]) -> None:
        """Send what the node asked for. When it stops listening (disk full), what it said about that is still read."""
        files = [(i, step, step.content) for i, step in wanted if isinstance(step, FileStep) and step.content]
        raw: list[tuple[Step, Blob]] = [
            (step, blob)
            for _, step in wanted
            if isinstance(step, ShellStep)
            for blob in (step.blobs if step.stdin is None else (step.stdin,))
        ]
        try:
            if files:
                texts, served = inline([(i, blob) for i, _, blob in files])
                connection.send(texts)
                raw += [(step, blob) for i, step, blob in files if i not in served]
            for step, blob in raw:
                self._send_blob(connection, step, blob)
        except UnreachableError:
            return

    def _send_blob(self, connection: Connection, step: Step, blob: Blob) -> None:
        if blob.path is None:
            self._pace(blob.size)
            connection.send(blob.data or b"")
            return
        done = 0
        with blob.path.open("rb") as stream:
            stream.seek(blob.offset)
            while done < blob.size and (chunk := stream.read(min(_CHUNK, blob.size - done))):
                self._pace(len(chunk))
                connection.send(chunk)
                done += len(chunk)
                if blob.size >= _PROGRESS_FROM:
                    self._emit(Progress(self.target.name, step.title, done, blob.size))
        if done < blob.size:
            raise UnreachableError("lost", f"{blob.path} became shorter while it was sent", where=self.target.name)

    def _await_reboot(self, reconnect: Reconnect) -> None:
        """Wait until the node answers with another boot id."""
        before = self._boot_id
        deadline = time.monotonic() + reconnect.timeout
        self._drop()
        while True:
            try:
                for _ in self._attempt(Segment("reconnect", ())):
                    pass
                if self._boot_id != before:
                    return
                why = "it still runs the old boot"
            except UnreachableError as error:
                why = error.what
            self._drop()
            if time.monotonic() > deadline:
                raise UnreachableError(
                    "timeout",
                    f"did not come back from its reboot within {reconnect.timeout:.0f} s",
                    where=self.target.name,
                    why=why,
                    next="look at the node's console",
                )
            patience.pause(0.5)


def record_of(step: Step, ended: Ended, seconds: float) -> Record:
    """Translate marks into the record of a step."""
    phases = ended.phases
    decided = phases.get("f") or phases.get("a") or phases.get("p")
    before = b""
    if isinstance(step, FileStep):
        before = ended.info.encode()
        if "d" in phases:
            before += b"\n" + phases["d"].stdout
    elif "p" in phases and (len(phases) > 1 or ended.state == "would"):
        before = phases["p"].stdout
    stderr = decided.stderr if decided else b""
    if ended.info and not isinstance(step, FileStep):
        stderr += ended.info.encode()
    return Record(
        step.id,
        ended.state,  # type: ignore[arg-type]
        rc=ended.rc,
        stdout=decided.stdout if decided else b"",
        stderr=stderr,
        before=before,
        truncated=sum(output.truncated for output in phases.values()),
        seconds=seconds,
    )
