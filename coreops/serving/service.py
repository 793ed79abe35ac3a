"""What a server is given to serve: it says what is answered, and is told how that went. Knows no sockets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from coreops.serving.audit import Entry
from coreops.serving.wire import Ending

PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Request:
    """One request. own: how this server calls itself. gone: whether the peer has left, for an answer that waits."""

    method: str
    target: str
    peer: str
    own: str
    host: str = ""
    none_match: str = ""
    body: bytes = field(default=b"", repr=False)
    gone: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class Response:
    """What is sent. confirm: see whether it arrived. about: the service's own, for ``done``."""

    status: int
    body: bytes = field(default=b"", repr=False)
    type: str = PLAIN
    headers: tuple[tuple[str, str], ...] = ()
    confirm: bool = False
    about: Any = None


class Service(Protocol):
    """Answers requests, from many threads. methods: those it knows. body: the most bytes of one; 0: none is read."""

    methods: tuple[str, ...]
    body: int

    def answer(self, request: Request) -> Response:
        """Decide. It may take its time."""
        ...

    def done(self, response: Response, sent: int, ending: Ending) -> None:
        """Record how it went. sent: bytes of the body."""
        ...

    def record(self, entry: Entry) -> None:
        """A connection that came to no request."""
        ...
