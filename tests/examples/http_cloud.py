"""A fake cloud that is an HTTP API on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Answer = tuple[int, Any]


class Lost(Exception):
    """What was asked for is done, and the answer is lost."""


class HttpCloud:
    """Subclasses answer. asked: method and path of every request so far."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.url = ""
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}
        self.busy = 0

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        """The status and the JSON of an answer; one at a time."""
        raise AssertionError(path)

    def error(self, status: int, message: str) -> Answer:
        """An error as this cloud words it."""
        raise AssertionError(message)

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        url = urlsplit(handler.path)
        body = json.loads(handler.rfile.read(int(handler.headers.get("Content-Length") or 0)) or b"null")
        with self.lock:
            self.asked.append(f"{handler.command} {url.path}")
            self.headers = {name.lower(): value for name, value in handler.headers.items()}
            try:
                if self.busy:
                    self.busy -= 1
                    status, told = self.error(429, "API rate limit exceeded.")
                else:
                    status, told = self.answer(handler.command, url.path, dict(parse_qsl(url.query)), body)
            except Lost:
                handler.close_connection = True
                return
        data = b"" if told is None else told.encode() if isinstance(told, str) else json.dumps(told).encode()
        handler.send_response(status)
        for name, value in self.reply_headers(url.path, status).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def reply_headers(self, path: str, status: int) -> dict[str, str]:
        """More headers of an answer."""
        return {}


@contextmanager
def serving(cloud: HttpCloud) -> Iterator[None]:
    """Answer at ``cloud.url``."""

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            cloud.handle(self)

        do_GET = do_POST = do_DELETE = do_PUT = do

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    cloud.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
