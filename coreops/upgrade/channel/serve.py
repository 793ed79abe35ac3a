"""A small read-only HTTP server for one repository: for a lab, a test, a site without a web server. No TLS, no listing.

It needs no trust: readers verify everything. It sends the repository's files and nothing else of this machine.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from coreops.errors import InputError
from coreops.upgrade.channel.trust import METADATA, TARGETS

_CHUNK = 256 << 10
_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{1,18})?", re.ASCII)
_SUFFIX = re.compile(r"bytes=-([0-9]{1,18})", re.ASCII)


class Server(ThreadingHTTPServer):
    """``with server(...) as one: one.serve_forever()``."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], folder: Path, tell: Callable[[str], None]) -> None:
        self.folder = folder.resolve()
        self.tell = tell
        super().__init__(address, _Handler)

    @property
    def url(self) -> str:
        """Where readers find it."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A reader that hangs up is no news."""


def server(
    folder: Path, host: str = "127.0.0.1", port: int = 0, tell: Callable[[str], None] = lambda line: None
) -> Server:
    """A server that listens already. tell: one line for every request. Raises InputError."""
    if not (folder / METADATA / "timestamp.json").is_file():
        raise InputError("there is no channel repository", where=folder, next="coreops channel init makes a repository")
    try:
        return Server((host, port), folder, tell)
    except OSError as error:
        raise InputError(
            f"cannot listen on {host}, port {port}", why=error.strerror or str(error), next="pass --host and --port"
        ) from error


def locate(folder: Path, url_path: str) -> Path | None:
    """The repository's file that a request asks for; None when it is none of the repository's."""
    words = unquote(urlsplit(url_path).path).split("/")[1:]
    if len(words) < 2 or words[0] not in (METADATA, TARGETS):
        return None
    if any(not word or word.startswith(".") or "\0" in word or "\\" in word for word in words):
        return None
    try:
        path = folder.joinpath(*words).resolve()
    except (OSError, ValueError):
        return None
    return path if folder in path.parents else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "coreops"
    sys_version = ""
    timeout = 60
    server: Server

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:
        self.server.tell(f"{self.address_string()} {format % args}")

    def _answer(self, *, with_body: bool) -> None:
        path = locate(self.server.folder, self.path)
        stream = _open(path) if path else None
        if stream is None:
            self._empty(HTTPStatus.NOT_FOUND)
            return
        with stream:
            size = os.fstat(stream.fileno()).st_size
            wanted = part(self.headers.get("Range", ""), size)
            if wanted is None:
                self._empty(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, ("Content-Range", f"bytes */{size}"))
                return
            start, end = wanted
            whole = (start, end) == (0, size)
            self.send_response(HTTPStatus.OK if whole else HTTPStatus.PARTIAL_CONTENT)
            if not whole:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
            self.send_header("Content-Length", str(end - start))
            self.send_header(
                "Content-Type", "application/json" if self.path.endswith(".json") else "application/octet-stream"
            )
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Cache-Control", "no-cache")
            self.end_headers()
            if with_body:
                self._send(stream, start, end)

    def _send(self, stream: IO[bytes], start: int, end: int) -> None:
        stream.seek(start)
        while start < end and (chunk := stream.read(min(_CHUNK, end - start))):
            self.wfile.write(chunk)
            start += len(chunk)
        if start < end:
            self.close_connection = True  # the file got shorter: what was promised cannot be kept

    def _empty(self, status: HTTPStatus, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for key, value in (*headers, ("Content-Length", "0")):
            self.send_header(key, value)
        self.end_headers()


def _open(path: Path) -> IO[bytes] | None:
    """A regular file, or None. A pipe must not hold us up."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        return None
    return os.fdopen(handle, "rb")


def part(header: str, size: int) -> tuple[int, int] | None:
    """From and to of what a Range header asks for; all of it when it asks for nothing we know; None beyond the end."""
    if match := _SUFFIX.fullmatch(header):
        wanted = min(int(match[1]), size)
        return (size - wanted, size) if wanted else None
    match = _RANGE.fullmatch(header)
    if not match:
        return 0, size
    start, end = int(match[1]), min(int(match[2] or size) + 1, size)
    if start >= size:
        return None
    return (start, end) if start < end else (0, size)
