import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from coreops.errors import CoreopsError, InputError
from coreops.inventory import load_inventory
from coreops.model import Position
from coreops.store import artifact, fetching
from coreops.store.lockfile import Locked

DATA = b"#!/bin/sh\n"
SHA = hashlib.sha256(DATA).hexdigest()
NOWHERE = "http://127.0.0.1:9/v1.28.5%2Bk3s1/k3s"


def locked(location: str = NOWHERE, source: str = "url") -> Locked:
    return Locked("k3s", "v1.28.5+k3s1", "amd64", SHA, source, location, Position("artifacts.lock.yml", 2, 5))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


class Shelf(http.server.ThreadingHTTPServer):
    files: dict[str, bytes]
    asked: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/mirror/"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Shelf

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = self.server.files.get(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with Shelf(("127.0.0.1", 0), Handler) as running:
        running.files, running.asked = {}, []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("name", [SHA, "k3s"])
def test_a_folder_is_asked_first(tmp_path: Path, cache: Path, name: str) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / name).write_bytes(DATA)
    ready = artifact.archive(locked(), cache, mirror=str(tmp_path / "m"))
    assert ready.exists()
    assert (tmp_path / "m" / name).exists()


@pytest.mark.parametrize("name", [SHA, "k3s"])
def test_a_server_is_asked_first_and_what_it_gave_is_kept(cache: Path, shelf: Shelf, name: str) -> None:
    shelf.files[f"/mirror/{name}"] = DATA
    assert fetching.fetch(locked(), cache, mirror=shelf.url).read_bytes() == DATA
    asked = list(shelf.asked)
    assert asked[-1] == f"/mirror/{name}"
    fetching.fetch(locked(), cache, mirror=shelf.url)
    assert shelf.asked == asked


def test_another_version_under_the_same_name_is_passed_over(cache: Path, shelf: Shelf) -> None:
    shelf.files |= {"/mirror/k3s": b"another version", "/original/k3s": DATA}
    source = shelf.url.replace("mirror", "original") + "k3s"
    assert fetching.fetch(locked(source), cache, mirror=shelf.url).read_bytes() == DATA
    assert shelf.asked == [f"/mirror/{SHA}", "/mirror/k3s", "/original/k3s"]


def test_a_lie_under_the_hash_is_refused(tmp_path: Path, cache: Path) -> None:
    (tmp_path / SHA).write_bytes(b"tampered")
    with pytest.raises(InputError, match="SHA-256") as caught:
        fetching.fetch(locked(), cache, mirror=str(tmp_path))
    assert str(tmp_path / SHA) in (caught.value.why or "")
    assert list(cache.iterdir()) == []


def test_nobody_has_it(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "k3s").write_bytes(b"another version")
    with pytest.raises(CoreopsError, match="could not be downloaded") as caught:
        fetching.fetch(locked(), cache, mirror=str(tmp_path))
    why = caught.value.why or ""
    assert f"no file {tmp_path / SHA}" in why
    assert f"{tmp_path}/k3s has another SHA-256" in why
    assert NOWHERE in why


def test_a_mirror_stands_in_for_a_path_that_is_missing(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / SHA).write_bytes(DATA)
    gone = locked(str(tmp_path / "gone"), "path")
    assert fetching.fetch(gone, cache, mirror=str(tmp_path / "m")).read_bytes() == DATA
    (tmp_path / "m" / SHA).unlink()
    with pytest.raises(InputError, match="artifact is missing") as caught:
        fetching.fetch(gone, cache, mirror=str(tmp_path / "m"))
    assert f"no file {tmp_path / 'm' / SHA}" in (caught.value.why or "")


INVENTORY = """
store:
  hosts:
    n1: {}
    n2: {artifact_mirror: ODD}
  vars:
    artifact_mirror: MIRROR
"""


def chosen(tmp_path: Path, all_hosts: str, odd: str | None = None) -> str | None:
    path = tmp_path / "hosts.yml"
    path.write_text(INVENTORY.replace("MIRROR", all_hosts).replace("ODD", odd or all_hosts))
    return fetching.mirror(load_inventory(path), ["n1", "n2"])


def test_the_inventory_names_a_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(fetching.MIRROR, raising=False)
    (tmp_path / "m").mkdir()
    assert chosen(tmp_path, "https://mirror.example/coreops/") == "https://mirror.example/coreops/"
    assert chosen(tmp_path, "m") == str(tmp_path / "m")
    monkeypatch.setenv(fetching.MIRROR, "http://127.0.0.1:1/")
    assert chosen(tmp_path, "m") == "http://127.0.0.1:1/"


@pytest.mark.parametrize(
    ("value", "odd", "message"),
    [
        ("none", None, "the mirror is no folder"),
        ("ftp://x", None, "must begin with"),
        ("'{{ x }}'", None, "folder or a base URL"),
        ("[a]", None, "folder or a base URL"),
        ("https://a.example", "https://b.example", "differs from host to host"),
    ],
)
def test_what_is_no_mirror(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, odd: str | None, message: str
) -> None:
    monkeypatch.delenv(fetching.MIRROR, raising=False)
    with pytest.raises(InputError, match=message) as caught:
        chosen(tmp_path, value, odd)
    assert "hosts.yml:" in (caught.value.where or "")
