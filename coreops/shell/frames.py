"""The bytes between controller and loader: frames out, marks in (listed at the top of ``prelude.sh``).

Knows the wire, not the meaning of steps. Output is kept up to a limit a stream; what is over is counted and dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from coreops.frozen import frozen

MAX_OUTPUT = 4 * 1024 * 1024
MAX_READ = 1536  # bytes that sh's own read takes from a pipe, one by one, in less time than it needs to start dd


def frame(nonce: str, run: str, text: str, user: str | None = None) -> bytes:
    """One frame: the header line the loader waits for, and the sh it evaluates."""
    body = text.encode()
    few = body.count(b"\n") if user is None and len(body) <= MAX_READ and body.endswith(b"\n") else 0
    return f"coreops1 {nonce} {len(body)} {user or '-'} {run} {few}\n".encode() + body


@frozen
class Hello:
    """A segment began; ``pid`` is the shell that works through it."""

    pid: int
    boot_id: str


@frozen
class Begun:
    """A probe (p) or act (a) of step ``index`` began."""

    index: int
    phase: str


@frozen
class Need:
    """The node waits for the blobs of these steps, in this order."""

    indexes: tuple[int, ...]


@frozen
class Output:
    """What one phase of a step said."""

    rc: str = ""
    stdout: bytes = b""
    stderr: bytes = b""
    truncated: int = 0


@frozen
class Ended:
    """Step ``index`` is decided. ``phases``: p, a, d (old content), f (a failed file step)."""

    index: int
    state: str
    rc: int
    info: str
    phases: dict[str, Output]


@frozen
class Finished:
    """The segment ended: done, failed, stopped, fatal (close the connection), nouser NAME."""

    status: str


Message = Hello | Begun | Need | Ended | Finished


@dataclass(slots=True)
class _Capture:
    data: bytearray = field(default_factory=bytearray)
    dropped: int = 0

    def add(self, data: bytes | bytearray | memoryview, limit: int) -> None:
        room = limit - len(self.data)
        self.data += data[:room] if room > 0 else b""
        self.dropped += max(0, len(data) - max(0, room))


class MarkReader:
    """Feed it chunks of both streams, take messages out. Bytes outside of any step's output are dropped."""

    def __init__(self, nonce: str, limit: int = MAX_OUTPUT) -> None:
        self._mark = b"\x1e" + nonce.encode() + b" "
        self._limit = limit
        self._buffers = {1: bytearray(), 2: bytearray()}
        self._captures: dict[int, _Capture | None] = {1: None, 2: _Capture()}
        self._out: dict[tuple[int, str], tuple[str, _Capture]] = {}
        self._err: dict[tuple[int, str], _Capture] = {}
        self._waiting: list[Message] = []

    @property
    def noise(self) -> bytes:
        """What arrived on stderr since the last mark: the reason why a shell did not come up."""
        capture = self._captures[2]
        return bytes(capture.data if capture else b"") + bytes(self._buffers[2])

    def feed(self, stream: int, data: bytes) -> Iterator[Message]:
        """Take bytes; yield the messages that are now complete, in order."""
        buffer = self._buffers[stream]
        buffer += data
        while True:
            start = buffer.find(self._mark)
            if start < 0:
                keep = self._partial(buffer)
                self._keep(stream, buffer, len(buffer) - keep)
                break
            end = buffer.find(b"\n", start)
            if end < 0:
                self._keep(stream, buffer, start)
                break
            self._keep(stream, buffer, start)
            end -= start
            words = bytes(buffer[len(self._mark) : end]).decode(errors="replace").split(" ")
            del buffer[: end + 1]
            self._handle(stream, words)
        yield from self._ready()

    def _partial(self, buffer: bytearray) -> int:
        """How many bytes at the end may be the beginning of a mark."""
        start = buffer.rfind(b"\x1e", max(0, len(buffer) - len(self._mark)))
        return len(buffer) - start if start >= 0 and self._mark.startswith(buffer[start:]) else 0

    def _keep(self, stream: int, buffer: bytearray, count: int) -> None:
        capture = self._captures[stream]
        if capture is not None and count:
            capture.add(buffer[:count], self._limit)
        del buffer[:count]

    def _handle(self, stream: int, words: list[str]) -> None:
        kind, rest = words[0], words[1:]
        if stream == 2:
            capture = self._captures[2] or _Capture()
            self._captures[2] = _Capture()
            if kind == "e":
                self._err[int(rest[0]), rest[1]] = capture
        elif kind == "b":
            self._captures[1] = _Capture()
            if rest[1] in "pa":
                self._waiting.append(Begun(int(rest[0]), rest[1]))
        elif kind == "e":
            self._out[int(rest[0]), rest[1]] = (rest[2], self._captures[1] or _Capture())
            self._captures[1] = None
        elif kind == "h":
            self._waiting.append(Hello(int(rest[0]), rest[1]))
        elif kind == "n":
            self._waiting.append(Need(tuple(int(n) for n in rest)))
        elif kind == "r":
            self._waiting.append(Ended(int(rest[0]), rest[1], int(rest[2] or 1), " ".join(rest[3:]), {}))
        elif kind == "z":
            self._waiting.append(Finished(" ".join(rest)))

    def _ready(self) -> Iterator[Message]:
        """A step's end waits until stderr has said its part too."""
        while self._waiting:
            message = self._waiting[0]
            if isinstance(message, Ended):
                keys = [key for key in self._out if key[0] == message.index]
                if any(key not in self._err for key in keys):
                    return
                for key in keys:
                    rc, out = self._out.pop(key)
                    err = self._err.pop(key)
                    message.phases[key[1]] = Output(rc, bytes(out.data), bytes(err.data), out.dropped + err.dropped)
            self._waiting.pop(0)
            yield message
