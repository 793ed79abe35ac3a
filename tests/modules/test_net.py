"""get_url and wait_for against servers on loopback."""

from __future__ import annotations

import base64
import hashlib
import http.server
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.model import ShellStep
from coreops.modules import registry
from coreops.modules.arguments import parse
from tests.modules.harness import HERE, Node, steps_of
from tests.support.ports import free_port

pytestmark = pytest.mark.slow

BODY = b"content of the file\n"


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    hits: list[tuple[str, dict[str, str]]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.hits.append((self.path, dict(self.headers)))
        name = self.path.rsplit("/", 1)[-1]
        body = (
            BODY
            if name != "SHA256SUMS"
            else f"{'0' * 64}  other\n{hashlib.sha256(BODY).hexdigest()} *./f.tgz\n".encode()
        )
        wanted = "Basic " + base64.b64encode(b'us"er:pa\\ss').decode()
        status = 404 if name == "none" else 401 if name == "secret" and self.headers["Authorization"] != wanted else 200
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.hits = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(60)


def test_download(node: Node, server: Server, tmp_path: Path) -> None:
    path = tmp_path / "f.tgz"
    raw = {"url": f"{server.url}/x/f.tgz?a=b&c=$(id)", "dest": str(tmp_path), "mode": "0640"}
    node.settles("get_url", raw, lambda: path.exists() and path.stat().st_mode & 0o777 == 0o640)
    assert path.read_bytes() == BODY
    assert len(server.hits) == 1
    same = node.run("get_url", {**raw, "force": True})
    assert (same.failed, same.changed) == (False, False)
    path.write_text("old")
    assert node.run("get_url", {**raw, "force": True, "backup": True}).changed
    assert path.read_bytes() == BODY
    assert len(list(tmp_path.glob("f.tgz.*~"))) == 1


@pytest.mark.parametrize("listed", [False, True])
def test_checksum(node: Node, server: Server, tmp_path: Path, listed: bool) -> None:
    path = tmp_path / "f.tgz"
    path.write_text("damaged")
    wanted = f"{server.url}/SHA256SUMS" if listed else hashlib.sha256(BODY).hexdigest().upper()
    raw = {"url": f"{server.url}/f.tgz", "dest": str(path), "checksum": f"sha256:{wanted}"}
    node.settles("get_url", raw, lambda: path.read_bytes() == BODY)
    wrong = node.run("get_url", {**raw, "checksum": f"sha256:{'1' * 64}"})
    assert wrong.failed
    assert "does not have the checksum" in wrong.message
    assert path.read_bytes() == BODY
    assert sorted(p.name for p in tmp_path.iterdir()) == ["base", "f.tgz"]
    if listed:
        unknown = {"url": f"{server.url}/g.tgz", "dest": f"{tmp_path}/g", "checksum": raw["checksum"]}
        assert "does not name g.tgz" in node.run("get_url", unknown).message


def test_errors(node: Node, server: Server, tmp_path: Path) -> None:
    missing = node.run("get_url", {"url": f"{server.url}/none", "dest": f"{tmp_path}/x"})
    assert missing.failed
    assert "the download failed" in missing.message
    assert not (tmp_path / "x").exists()
    assert node.run("get_url", {"url": f"{server.url}/f", "dest": f"{tmp_path}/no/x"}).failed


def test_secrets_do_not_travel_in_argv(node: Node, server: Server, tmp_path: Path) -> None:
    raw = {
        "url": f"{server.url}/secret",
        "dest": f"{tmp_path}/x",
        "url_username": 'us"er',
        "url_password": "pa\\ss",
        "headers": {"X-Token": 'to"k\\en'},
    }
    (step,) = steps_of("get_url", raw)
    assert isinstance(step, ShellStep)
    assert "pa\\ss" not in f"{step.probe}{step.act}"
    assert "en" not in str(step.title)
    result = node.run("get_url", raw)
    assert result.changed, result
    assert server.hits[-1][1]["X-Token"] == 'to"k\\en'
    assert "pa" not in str(result.data)


def test_wget_when_there_is_no_curl(server: Server, tmp_path: Path, busybox_tools: Path) -> None:
    def act(**raw: object) -> subprocess.CompletedProcess[bytes]:
        (step,) = steps_of("get_url", {"url": f"{server.url}/f", "dest": f"{tmp_path}/f", **raw})
        assert isinstance(step, ShellStep)
        words = ["/bin/dash", "-c", step.act or ""]
        env = {**step.env, "PATH": str(busybox_tools)}
        return subprocess.run(words, env=env, capture_output=True, timeout=120, check=False)

    done = act()
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "f").read_bytes() == BODY
    assert b"has no curl" in act(force=True, headers={"a": "b"}).stderr


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"url": "x", "dest": "/d"}, "not a URL"),
        ({"url": "http://h/", "dest": "/d/"}, "ends without a name"),
        ({"url": "http://h/a", "dest": "/d", "checksum": "abc"}, "ALGORITHM:HEX"),
        ({"url": "http://h/a", "dest": "/d", "checksum": "sha256:abc"}, "64 hexadecimal digits"),
        ({"url": "http://h/a", "dest": "/d", "headers": {"a": "b\r\nc"}}, "newline"),
        ({"url": "http://h/a b", "dest": "/d"}, "not a URL"),
    ],
)
def test_bad_arguments(raw: dict[str, object], says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(registry.get("get_url"), raw, HERE)
    assert says in str(caught.value)


def test_wait_for_a_port(node: Node, server: Server) -> None:
    port = server.server_address[1]
    result = node.run("wait_for", {"port": port, "timeout": 5})
    assert (result.failed, result.changed) == (False, False), result
    assert node.run("wait_for", {"port": port, "timeout": 0, "state": "stopped"}).failed
    closed = free_port()
    late = node.run("wait_for", {"port": closed, "timeout": 0, "msg": "no luck"})
    assert late.failed
    assert late.message == "no luck"
    assert not node.run("wait_for", {"port": closed, "state": "stopped", "timeout": 1}).failed
    assert node.run("wait_for", {"port": port}, check=True).skipped


@pytest.mark.parametrize("tool", ["bash", "curl", "none"])
def test_wait_for_with_what_there_is(tool: str, tmp_path: Path, busybox_tools: Path, server: Server) -> None:
    """A node with one of the tools only."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("timeout", "date", "sleep", "grep", "cat", "awk"):
        (tools / name).symlink_to(busybox_tools / name)
    if tool != "none":
        (tools / tool).symlink_to(shutil.which(tool) or "")

    def run(**raw: object) -> subprocess.CompletedProcess[bytes]:
        (step,) = steps_of("wait_for", raw)
        assert isinstance(step, ShellStep)
        words = ["/bin/dash", "-c", step.act or ""]
        return subprocess.run(words, env={"PATH": str(tools)}, capture_output=True, timeout=120, check=False)

    done = run(port=server.server_address[1], timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    done = run(port=free_port(), timeout=0)
    assert (done.returncode, b"after 0 s" in done.stderr) == (2, True)
    done = run(host="n2.example", port=1, timeout=0, connect_timeout=1)
    assert done.returncode == 2
    assert (b"has no bash" in done.stderr) == (tool == "none")


def test_wait_for_a_banner_and_drained(node: Node) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def greet() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"220 Hello there\r\n")

        threading.Thread(target=greet, daemon=True).start()
        raw = {"port": port, "search_regex": r"^220\s+hello", "timeout": 60, "connect_timeout": 30}
        assert node.run("wait_for", {**raw, "search_regex": r"(?i)^220\s+hello"}).failed is False
        assert node.run("wait_for", {**raw, "timeout": 0, "search_regex": "550"}).failed
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            assert node.run("wait_for", {"port": port, "state": "drained", "timeout": 0}).failed
        assert node.run("wait_for", {"port": free_port(), "state": "drained", "timeout": 0}).failed is False


def test_wait_for_a_path(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "it's $(here)"
    raw = {"path": str(path), "timeout": 120}

    def appear() -> None:
        time.sleep(0.3)
        path.write_text("state: ready (1)\n")

    thread = threading.Thread(target=appear)
    thread.start()
    result = node.run("wait_for", raw)
    thread.join()
    assert not result.failed
    assert not node.run("wait_for", {**raw, "search_regex": r"ready \(\d\)"}).failed
    assert node.run("wait_for", {**raw, "search_regex": "never", "timeout": 0}).failed
    assert node.run("wait_for", {**raw, "state": "absent", "timeout": 0}).failed
    path.unlink()
    assert not node.run("wait_for", {**raw, "state": "absent"}).failed
    with pytest.raises(InputError, match="port or path"):
        node.run("wait_for", {"port": 1, "path": "/x"})
