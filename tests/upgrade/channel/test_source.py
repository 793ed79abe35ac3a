"""Repositories over HTTP: our own server, and servers that misbehave."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import CoreopsError, InputError, RefusedError
from coreops.upgrade.channel.serve import locate, part, server
from coreops.upgrade.channel.source import Folder, Http, NotThere, source
from coreops.upgrade.channel.verify import ends_soon, verify
from tests.upgrade.channel.shop import BOARD, NOW, Shop


@contextmanager
def running(one: ThreadingHTTPServer) -> Iterator[str]:
    thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{one.server_address[1]}"
    finally:
        one.shutdown()
        one.server_close()
        thread.join()


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def url(shop: Shop, lines: list[str]) -> Iterator[str]:
    with running(server(shop.folder, tell=lines.append)) as found:
        yield found


Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def bad_server(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        do_GET = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A reader that hangs up."""

    with running(Quiet(("127.0.0.1", 0), Handler)) as found:
        yield found


def send(handler: BaseHTTPRequestHandler, data: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for key, value in ({"Content-Length": str(len(data))} | headers).items():
        handler.send_header(key.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(data)


def file_of(shop: Shop, handler: BaseHTTPRequestHandler) -> bytes | None:
    path = locate(shop.folder.resolve(), handler.path)
    return path.read_bytes() if path and path.is_file() else None


def test_over_http_as_from_a_folder(shop: Shop, url: str) -> None:
    repository = shop.open(url)
    assert repository.releases() == shop.open().releases()
    release = repository.release("stable", BOARD)
    told: list[tuple[int, int]] = []
    found = repository.image(release, lambda done, total: told.append((done, total)))
    assert found.read_bytes() == shop.image_file("1.0.0").read_bytes()
    assert told[-1] == (release.size, release.size)
    assert [finding.problem for finding in verify(repository)] == ["", ""]


def test_verify_finds_what_is_wrong(shop: Shop) -> None:
    path = shop.image_file("1.1.0")
    data = path.read_bytes()
    repository = shop.open()
    for wrong in (data[:-1], data + b"x", data[:500] + b"\0\1\2" + data[503:]):
        path.write_bytes(wrong)
        good, bad = verify(repository)
        assert not good.problem
        assert bad.problem
    path.unlink()
    assert "there is no" in verify(repository)[1].problem


def test_what_ends_soon(shop: Shop) -> None:
    from datetime import timedelta

    repository = shop.open()
    assert ends_soon(repository, NOW) == []
    assert "timestamp" in ends_soon(repository, NOW + timedelta(days=12))[0]
    assert any("channel rotate" in line for line in ends_soon(repository, NOW + timedelta(days=340)))


def test_a_download_goes_on_where_it_stopped(shop: Shop, url: str, lines: list[str]) -> None:
    repository = shop.open(url)
    release = repository.release("stable", BOARD)
    right = shop.image_file("1.0.0").read_bytes()
    folder = shop.cache / "images"
    folder.mkdir()
    (folder / f"{release.sha256}.part").write_bytes(right[:50_000])
    assert repository.image(release).read_bytes() == right
    assert " 206 " in lines[-1]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_connection_that_breaks_again_and_again(shop: Shop, ranges: bool) -> None:
    data = shop.image_file("1.0.0").read_bytes()
    asked: list[str] = []
    piece = [50_000]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if not handler.path.endswith(".usr"):
            found = file_of(shop, handler)
            send(handler, found or b"", 200 if found is not None else 404)
            return
        header = handler.headers.get("Range", "")
        asked.append(header)
        start = int(header[6:-1]) if header and ranges else 0
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        handler.send_header("Content-Length", str(len(data) - start))
        handler.end_headers()
        handler.wfile.write(data[start : start + piece[0]])
        piece[0] += 0 if ranges else 50_000
        handler.close_connection = True

    with bad_server(answer) as url:
        repository = shop.open(url)
        assert repository.image(repository.release("stable", BOARD)).read_bytes() == data
    assert len(asked) > 2
    assert asked[1] == "bytes=50000-"


def test_a_server_that_dies_for_good(shop: Shop) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        found = file_of(shop, handler)
        if handler.path.endswith(".usr"):
            send(handler, b"sorry", 503)
        else:
            send(handler, found or b"", 200 if found is not None else 404)

    with bad_server(answer) as url:
        repository = shop.open(url)
        with pytest.raises(CoreopsError, match="503") as caught:
            repository.image(repository.release("stable", BOARD))
    assert not isinstance(caught.value, RefusedError)
    with pytest.raises(CoreopsError, match="cannot be read"):
        shop.open(url)


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b" " * 65536)


def test_endless_metadata_over_http(shop: Shop) -> None:
    with bad_server(endless) as url, pytest.raises(RefusedError, match="endless data"):
        shop.open(url)


def test_compressed_metadata_is_not_taken(shop: Shop) -> None:
    with (
        bad_server(lambda handler: send(handler, b"x", 200, Content_Encoding="gzip")) as url,
        pytest.raises(CoreopsError, match="cannot be read"),
    ):
        shop.open(url)


@pytest.mark.parametrize("to", ["file:///etc/hostname", "https://127.0.0.1:1/x", "ftp://127.0.0.1/x"])
def test_redirects_to_other_schemes(shop: Shop, to: str) -> None:
    with (
        bad_server(lambda handler: send(handler, b"", 302, Location=to)) as url,
        pytest.raises(CoreopsError, match=r"is not followed|[Uu]nsupported"),
    ):
        shop.open(url)


def test_redirects(shop: Shop, url: str) -> None:
    with bad_server(lambda handler: send(handler, b"", 302, Location=url + handler.path)) as other:
        assert shop.open(other).channels(BOARD)["stable"] == "1.0.0"
    with (
        bad_server(lambda handler: send(handler, b"", 302, Location=handler.path)) as circle,
        pytest.raises(CoreopsError, match="redirects"),
    ):
        shop.open(circle)


def test_the_wrong_range(shop: Shop) -> None:
    with (
        bad_server(lambda handler: send(handler, b"abc", 206, Content_Range="bytes 0-2/3")) as url,
        pytest.raises(CoreopsError, match="another range"),
    ):
        list(Http(url).read("x", 1))


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("ftp://host/x", "did you mean 'http'"),
        ("htps://host/x", "did you mean 'https'"),
        ("http://", "is not the URL"),
        ("file://elsewhere/x", "is not the URL"),
        ("http://[::1/x", "this is not a URL"),
        ("http://host/x?y=1", "has no \\? and no #"),
        ("http://user:secret@host/x#y", "has no \\? and no #"),
    ],
)
def test_urls_that_are_none(place: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        source(place)
    if "ftp" not in place:
        assert re.search(says, str(caught.value))
    assert "secret" not in str(caught.value)


def test_a_password_in_the_url_is_not_told() -> None:
    one = source("http://user:secret@127.0.0.1:1/x")
    assert one.name == "http://127.0.0.1:1/x"
    with pytest.raises(CoreopsError) as caught:
        list(one.read("metadata/timestamp.json"))
    assert "secret" not in str(caught.value)


def test_folders(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "x").write_bytes(b"0123456789")
    one = source((tmp_path / "a b").as_uri())
    assert isinstance(one, Folder)
    assert b"".join(one.read("x", 4)) == b"456789"
    with pytest.raises(NotThere):
        list(one.read("y"))
    with pytest.raises(NotThere):
        list(one.read("."))


@given(st.binary(min_size=1, max_size=50), st.integers(0, 60), st.none() | st.integers(0, 60))
def test_ranges(data: bytes, start: int, last: int | None) -> None:
    found = part(f"bytes={start}-{'' if last is None else last}", len(data))
    if start >= len(data):
        assert found is None
    elif last is None or last >= start:
        assert found is not None
        assert data[found[0] : found[1]] == data[start : len(data) if last is None else last + 1]
    else:
        assert found == (0, len(data))


@given(st.text(max_size=30), st.integers(0, 50))
def test_any_range_header(header: str, size: int) -> None:
    found = part(header, size)
    assert found is None or 0 <= found[0] <= found[1] <= size


def test_suffix_ranges() -> None:
    assert part("bytes=-3", 10) == (7, 10)
    assert part("bytes=-30", 10) == (0, 10)
    assert part("bytes=-0", 10) is None
    assert part("", 0) == (0, 0)


TRICKS = (
    *(
        "/",
        "/metadata",
        "/metadata/",
        "/../keys/root.json",
        "/metadata/../../keys/root.json",
    ),
    *(
        "/metadata/%2e%2e/%2e%2e/keys/root.json",
        "/metadata/..%2f..%2fkeys/root.json",
        "/metadata/.new-x",
        "/keys/root.json",
    ),
    *(
        "/targets//etc/passwd",
        "/targets/%00",
        "/metadata/..\\..\\x",
        "/metadata/link",
        "/metadata/pipe",
        "/targets/" + "a" * 5000,
    ),
    "/metadata/folder",
)


def ask(url: str, method: str, path: str) -> tuple[int, bytes, str | None]:
    """Status, body and length. What clients would tidy up goes out as it is."""
    connection = HTTPConnection(url.removeprefix("http://"), timeout=20)
    try:
        connection.putrequest(method, path)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers["Content-Length"]
    finally:
        connection.close()


@pytest.mark.parametrize("trick", TRICKS)
def test_path_tricks(shop: Shop, url: str, trick: str) -> None:
    (shop.folder / "metadata" / "link").symlink_to(shop.keys / "root.json")
    os.mkfifo(shop.folder / "metadata" / "pipe")
    (shop.folder / "metadata" / "folder").mkdir()
    (shop.folder / "metadata" / ".new-x").touch()
    assert ask(url, "GET", trick)[0] == 404


@given(st.text(max_size=40))
def test_no_path_leads_out(path: str) -> None:
    folder = Path("/nowhere/repository")
    for asked in (path, "/metadata/" + path, "/targets/" + path):
        found = locate(folder, asked)
        assert found is None or folder in found.parents


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_read_only(url: str, method: str) -> None:
    assert ask(url, method, "/metadata/timestamp.json")[0] == 501


def test_head(shop: Shop, url: str) -> None:
    size = shop.metadata("timestamp.json").stat().st_size
    assert ask(url, "HEAD", "/metadata/timestamp.json") == (200, b"", str(size))


def test_a_server_that_cannot_be(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no channel repository"):
        server(tmp_path)
    with server(shop.folder) as one, pytest.raises(InputError, match="cannot listen"):
        server(shop.folder, port=int(one.server_address[1]))
    with pytest.raises(InputError, match="cannot listen"):
        server(shop.folder, host="no.such.host.invalid")
