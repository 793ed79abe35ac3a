"""HTTP for a ``Service``: one request a connection, a deadline for each part of it, a limit on everything.

What is to be confirmed counts when the peer has it (see ``wire.ending``).
"""

from __future__ import annotations

import errno
import io
import select
import socket
import ssl
import time
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Final

from coreops.errors import InputError
from coreops.serving import wire
from coreops.serving.audit import Entry
from coreops.serving.listen import Listen, address
from coreops.serving.service import Request, Response, Service
from coreops.serving.slots import Place, Slots


@dataclass(frozen=True, slots=True)
class Limits:
    """most: connections at a time. header: bytes. The rest are seconds: to ask, to take the answer, to confirm it.

    patience: to ask, when others wait for a place.
    """

    most: int = 128
    header: int = 16 << 10
    asking: float = 10.0
    sending: float = 30.0
    confirming: float = 5.0
    patience: float = 3.0


class Server(ThreadingHTTPServer):
    """Listens already when made. Raises InputError for an address that cannot be had."""

    daemon_threads = True
    request_queue_size = 1024
    allow_reuse_address = True

    def __init__(
        self, listen: Listen, service: Service, limits: Limits | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.service = service
        self.limits = limits or Limits()
        self.tls = tls
        self.slots = Slots(self.limits.most, self.limits.patience)
        self.address_family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
        try:
            super().__init__((listen.host, listen.port), Handler)  # type: ignore[arg-type]
        except OSError as error:
            raise _cannot(listen, error) from None
        except OverflowError as error:
            raise InputError("no such port", where=str(listen), why=str(error)) from None

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self.server_address[:2]
        name = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http{'s' if self.tls else ''}://{name}:{port}"

    def server_bind(self) -> None:
        """Bind; without asking the name service who we are."""
        TCPServer.server_bind(self)

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        """Wait for a place, then go on in a thread."""
        place = self.slots.enter(request)
        if place is None:
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, (client_address, place))
        except BaseException:
            self.slots.leave(place)
            raise

    def process_request_thread(self, request: socket.socket, client_address: tuple[object, Place]) -> None:  # type: ignore[override]
        """Serve one connection."""
        address, place = client_address
        try:
            Handler(request, address, self, place)
        except OSError:
            pass  # the peer has left; what was on its way is recorded
        except Exception as error:
            self.service.record(Entry(_peer(address), status=500, outcome=f"bug: {type(error).__name__}: {error}"))
        finally:
            self.slots.leave(place)
            self.shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that could not be begun; the peer has left."""


class Handler(BaseHTTPRequestHandler):
    """One connection, one request."""

    protocol_version = "HTTP/1.1"
    server: Server

    def __init__(self, request: socket.socket, client_address: object, server: Server, place: Place) -> None:
        self._place = place
        self._body = b""
        self._peer = _peer(client_address)
        super().__init__(request, client_address, server)

    def setup(self) -> None:
        """Nothing is read yet: a handshake takes time, and has its deadline."""
        self.connection = self.request
        self._deadline = time.monotonic() + self.server.limits.asking

    def finish(self) -> None:
        """The connection that TLS made of the server's is ours to close."""
        if self.connection is not self.request:
            self.connection.close()

    def handle(self) -> None:
        """Read the request, answer it, end."""
        self.close_connection = True
        try:
            if not self._secure() or not self._read():
                return
        except TimeoutError:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "timeout")
        except wire.TooLarge:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "header too large")
        else:
            self._place.asking = False
            self._answer()

    def _secure(self) -> bool:
        if self.server.tls is None:
            return True
        try:
            wire.wait(self.request, self._deadline)
            self.connection = self.server.tls.wrap_socket(self.request, server_side=True, do_handshake_on_connect=False)
            self._place.connection = self.connection
            self.connection.do_handshake()
        except TimeoutError:
            self.server.service.record(Entry(self._peer, outcome="timeout in the TLS handshake"))
            return False
        except ssl.SSLError as error:
            why = error.reason or "ended"
            self.server.service.record(Entry(self._peer, outcome=f"no TLS: {why.lower().replace('_', ' ')}"))
            return False
        return True

    def _read(self) -> bool:
        """Whether there is a request to answer. Raises TimeoutError, TooLarge."""
        limits = self.server.limits
        most = self.server.service.body
        reader = wire.Reader(self.connection, limits.header + most, self._deadline)
        self.rfile = io.BufferedReader(reader)  # type: ignore[type-var]
        self.requestline = self.request_version = self.command = ""
        self.raw_requestline = self.rfile.readline(limits.header)
        if not self.raw_requestline:
            return False
        if reader.ended or not self.parse_request() or reader.ended:
            if reader.ended:  # it left, or was sent away for another
                self.server.service.record(Entry(self._peer, outcome="incomplete"))
            return False
        if self.request_version == "HTTP/0.9":
            self._refuse(HTTPStatus.BAD_REQUEST, "malformed")
            return False
        return not most or self._read_body(most, reader)

    def _read_body(self, most: int, reader: wire.Reader) -> bool:
        text = self.headers.get("Content-Length", "0")
        if self.headers.get("Transfer-Encoding"):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "a body without a length")
        elif not (text.isascii() and text.isdigit()):
            self._refuse(HTTPStatus.BAD_REQUEST, "malformed")
        elif len(text) > 9 or int(text) > most:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body too large")
        else:
            self._body = self.rfile.read(int(text))
            if len(self._body) == int(text):
                return True
            self.server.service.record(Entry(self._peer, outcome="incomplete"))
        return False

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the standard library finds wrong with a request."""
        self._refuse(HTTPStatus(code), "malformed")

    def _answer(self) -> None:
        if self.command not in self.server.service.methods:
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "method not allowed")
            return
        request = Request(
            self.command,
            self.path,
            self._peer,
            self._own(),
            host=self.headers.get("Host", ""),
            none_match=self.headers.get("If-None-Match", ""),
            body=self._body,
            gone=self._gone,
        )
        response = self.server.service.answer(request)
        ending: wire.Ending = "not sent"
        writer = wire.Writer(self.connection, time.monotonic() + self.server.limits.sending)
        head = 0
        try:
            self._head(writer, response)
            head = writer.count
            if self.command != "HEAD":
                # From here on some of it may be there: who stops short of the end must not get another try elsewhere.
                ending = "in doubt"
                writer.write(response.body)
            ending = "delivered"
            if response.confirm:
                ending = wire.ending(self.connection, time.monotonic() + self.server.limits.confirming)
        finally:
            self.server.service.done(response, writer.count - head if head else 0, ending)

    def _gone(self) -> bool:
        """Whether the peer will send nothing more, and so has most likely left."""
        try:
            poll = select.poll()
            poll.register(self.request.fileno(), select.POLLRDHUP)
            return bool(poll.poll(0))
        except (OSError, ValueError):
            return True

    def _own(self) -> str:
        host, port = self.connection.getsockname()[:2]
        name = f"[{host}]" if ":" in host else host
        return f"http{'s' if self.server.tls else ''}://{name}:{port}"

    def _head(self, writer: wire.Writer, response: Response) -> None:
        self.wfile = writer  # type: ignore[assignment]
        self.send_response(response.status)
        if response.status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Type", response.type)
            self.send_header("Content-Length", str(len(response.body)))
        for name, value in response.headers:
            self.send_header(name, value)
        if response.status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.send_header("Retry-After", "1")
        if response.status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", ", ".join(self.server.service.methods))
        self.send_header("Connection", "close")
        self.end_headers()

    def _refuse(self, status: HTTPStatus, outcome: str) -> None:
        """Answer what was no request for a page, and take what else the peer sends."""
        self._place.asking = False
        response = Response(status, f"{outcome}\n".encode(), headers=(("Cache-Control", "no-store"),))
        entry = Entry(self._peer, method=self._method(), status=int(status), outcome=outcome)
        self.request_version = "HTTP/1.1"
        writer = wire.Writer(self.connection, time.monotonic() + 1)
        try:
            self._head(writer, response)
            head = writer.count
            writer.write(response.body if self._method() != "HEAD" else b"")
            entry = replace(entry, bytes=writer.count - head)
        except OSError:
            entry = replace(entry, outcome=f"{outcome}, and gone")
        self.server.service.record(entry)
        wire.drain(self.connection, 1 << 20, 1)

    def _method(self) -> str:
        word = getattr(self, "command", "") or ""
        return word if word.isalpha() and len(word) <= 10 else ""

    def version_string(self) -> str:
        """No more than the name."""
        return "coreops"

    def log_message(self, format: str, *args: object) -> None:
        """The service keeps the records."""


def _peer(name: object) -> str:
    host = str(name[0]) if isinstance(name, tuple) else ""
    return address(host) or host


_WHY: Final = {
    errno.EADDRINUSE: ("another program listens there", "stop it, or name another port"),
    errno.EACCES: ("ports below 1024 are for root", "name a higher port, or grant CAP_NET_BIND_SERVICE"),
    errno.EADDRNOTAVAIL: ("this machine does not have that address", "ip -brief address shows those that it has"),
}


def _cannot(listen: Listen, error: OSError) -> InputError:
    why, then = _WHY.get(error.errno or 0, (error.strerror or str(error), "name another address"))
    return InputError("cannot listen", where=str(listen), why=why, next=f"{then}: --listen ADDR:PORT")
