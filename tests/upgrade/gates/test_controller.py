"""The controller's gates, against a real HTTP server on the loopback that does what servers do when they are unwell."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from coreops.upgrade.gates import controller
from coreops.upgrade.gates.spec import parse

ANSWERS = {
    "fires": {"resultType": "vector", "result": [{"metric": {"__name__": "ALERTS", "a": "b"}, "value": [1, "1"]}]},
    "zero": {"resultType": "vector", "result": [{"metric": {"job": "api"}, "value": [1, "0"]}]},
    "one": {"resultType": "vector", "result": [{"metric": {"job": "api"}, "value": [1, "1"]}]},
    "nan": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "NaN"]}]},
    "nothing": {"resultType": "vector", "result": []},
    "scalar0": {"resultType": "scalar", "result": [1, "0"]},
    "scalar1": {"resultType": "scalar", "result": [1, "1"]},
    "matrix": {"resultType": "matrix", "result": []},
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        status, body = 200, b"all is well"
        if url.path == "/sick":
            status = 503
        elif url.path == "/moved":
            status = 302
        elif url.path == "/large":
            body = b"x" * (5 << 20)
        elif url.path == "/slow":
            self.send_response(200)
            self.end_headers()
            while not self.server.over.wait(0.05):  # type: ignore[attr-defined]
                try:
                    self.wfile.write(b"x")
                    self.wfile.flush()
                except OSError:
                    return
            return
        elif url.path == "/api/v1/query":
            query = parse_qs(url.query)["query"][0]
            answer = {"status": "success", "data": ANSWERS.get(query)}
            if query == "error":
                status, answer = 400, {"status": "error", "error": "parse error: unexpected end"}
            elif query == "partial":
                answer = {"status": "success", "warnings": ["a store is down"], "data": ANSWERS["nothing"]}
            body = b"<html>" if query == "html" else json.dumps(answer).encode()
        self.send_response(status)
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.over = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.over.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
    thread.join()


def sample(spec: dict, **more: object):
    (gate,) = parse([{**spec, **more}])
    found = controller.ask(gate)
    return found.verdict, found.reason


@pytest.mark.parametrize(
    ("path", "more", "says"),
    [
        ("/", {}, ""),
        ("/", {"contains": "is well"}, ""),
        ("/", {"contains": "is ill"}, "without 'is ill'"),
        ("/sick", {}, "answered 503, wanted 200"),
        ("/sick", {"status": [200, 503]}, ""),
        ("/moved", {}, "answered 302"),
        ("/large", {}, "larger than"),
    ],
)
def test_http(url, path, more, says):
    verdict, reason = sample({"http": {"url": f"{url}{path}?key=secret", "from": "controller", **more}})
    assert (verdict, says in reason, "secret" in reason) == ("bad" if says else "ok", True, False)


def test_a_server_that_drips_and_one_that_is_not_there(url):
    assert sample({"http": {"url": f"{url}/slow", "from": "controller"}}, timeout=0.3)[0] == "bad"
    verdict, reason = sample({"http": {"url": "http://127.0.0.1:1/", "from": "controller"}})
    assert verdict == "bad"
    assert "http://127.0.0.1:1/: " in reason


@pytest.mark.parametrize(
    ("query", "expect", "says"),
    [
        ("nothing", "empty", ""),
        ("fires", "empty", 'firing: ALERTS{a="b"} 1'),
        ("zero", "empty", 'firing: {job="api"} 0'),  # up == 0 fires with the value 0
        ("scalar0", "empty", ""),
        ("scalar1", "empty", "firing: 1"),
        ("nan", "empty", "firing"),
        ("one", "nonzero", ""),
        ("zero", "nonzero", 'zero: {job="api"} 0'),
        ("nan", "nonzero", "zero"),
        ("nothing", "nonzero", "answered nothing"),
        ("matrix", "empty", "instant vector"),
        ("error", "empty", "parse error: unexpected end"),
        ("partial", "empty", "a store is down"),
        ("html", "empty", "no usable answer"),
        ("unknown", "empty", "no usable answer"),
    ],
)
def test_prometheus_fails_closed(url, query, expect, says):
    verdict, reason = sample({"prometheus": {"url": f"{url}/", "query": query, "expect": expect}})
    assert (verdict, says in reason) == ("bad" if says else "ok", True), reason
