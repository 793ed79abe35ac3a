"""The question to etcd's JSON gateway: quoted for a real curl, and answered as a whole or not at all."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from coreops.model import ShellStep
from coreops.store import gateway
from coreops.store.gateway import Request
from tests.support.shells import EACH_SHELL, run_steps

HOSTILE = "a'b\"c\\d $(touch x) `touch x` {1,2} [3-4]\\n é"

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")


class Echo(BaseHTTPRequestHandler):
    """Says what it was asked, over several lines; /no is not found."""

    protocol_version = "HTTP/1.1"
    paths: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.paths.append(self.path)
        size = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(size).decode() if size else None
        said = json.dumps({"asked": [self.command, self.path, body], "port": self.client_address[1]}, indent=1).encode()
        self.send_response(404 if self.path == "/no" else 200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def ask(requests: list[Request], shell: str = "dash") -> dict[str, dict[str, object]]:
    probe = f"{gateway.script(requests)}\nby_gateway || echo 'failed 0'"
    program, outcome = run_steps([ShellStep(id="ask", title="ask", probe=probe)], shell)
    assert outcome.state == "done", outcome
    lines = program.records["ask"].stdout.decode().splitlines()
    return {key: json.loads(text) for key, _, text in (line.partition(" ") for line in lines)}


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_every_request_is_answered_over_one_connection(url, shell):
    found = ask([Request("a", f"{url}/[a]?x={{1,2}}"), Request("b.1", f"{url}/b", HOSTILE)], shell)
    assert found["a"]["asked"] == ["GET", "/[a]?x={1,2}", None]
    assert found["b.1"]["asked"] == ["POST", "/b", HOSTILE]
    assert found["a"]["port"] == found["b.1"]["port"]


def test_all_is_answered_or_nothing(url):
    assert ask([Request("a", f"{url}/a"), Request("no", f"{url}/no")]) == {"failed": 0}
    Echo.paths.clear()
    assert ask([Request("no", f"{url}/no"), Request("a", f"{url}/a")]) == {"failed": 0}
    assert Echo.paths == ["/no"], "what comes behind a failure is not asked for"
    assert ask([Request("no", "http://127.0.0.1:9/"), Request("a", f"{url}/a")]) == {"failed": 0}


@pytest.mark.parametrize(("text", "well"), [('{"health":"true"}', True), ('{"health": true}', True), ("{}", False)])
def test_health(text, well):
    assert gateway.parse_health(text) is well


@pytest.mark.parametrize("text", ["", "[]", "404 page not found", "7"])
def test_what_is_no_answer(text):
    for parse in (gateway.parse_health, gateway.parse_status):
        with pytest.raises(ValueError, match=r"."):
            parse(text)
