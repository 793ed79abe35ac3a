import hashlib
import http.server
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from coreops.errors import CoreopsError, ExitCode, InputError
from coreops.model import Position
from coreops.store import artifact
from coreops.store.lockfile import Locked

PROGRAMS = {"etcd": b"E" * 3000, "etcdctl": b"C" * 2000, "etcdutl": b"U" * 1000}


def tarball(programs: dict[str, bytes] = PROGRAMS) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for name, data in {"README.md": b"hello", **programs}.items():
            info = tarfile.TarInfo(f"etcd-v3/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return raw.getvalue()


def wheel() -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as zipped:
        zipped.writestr("pkg/etcd/__init__.py", b"")
        for name, data in PROGRAMS.items():
            zipped.writestr(f"pkg/bin/{name}", data)
    return raw.getvalue()


def locked(data: bytes, location: str, source: str = "path") -> Locked:
    digest = hashlib.sha256(data).hexdigest()
    return Locked("etcd", "3.5.17", "amd64", digest, source, location, Position("artifacts.lock.yml", 2, 5))


def contents(path: Path) -> dict[str, tuple[bytes, int, float]]:
    with tarfile.open(path) as tar:
        return {m.name: (tar.extractfile(m).read(), m.mode, m.mtime) for m in tar}  # type: ignore[union-attr]


class Server(http.server.ThreadingHTTPServer):
    data = b""
    cut_at: int | None = None
    ranges: bool = True
    requests: list[str | None]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.requests.append(wanted)
        start = int(wanted[6:-1]) if wanted and self.server.ranges else 0
        body = self.server.data[start:]
        if not body:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.cut_at])

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        running.requests = []
        running.data = tarball()
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}/etcd.tar.gz"


@pytest.mark.parametrize("make", [tarball, wheel])
def test_any_source_gives_the_same_archive(tmp_path: Path, make: object) -> None:
    data = make()  # type: ignore[operator]
    (tmp_path / "a").write_bytes(data)
    ready = artifact.archive(locked(data, str(tmp_path / "a")), tmp_path / "cache")
    assert contents(ready) == {name: (body, 0o755, 0) for name, body in PROGRAMS.items()}
    first = ready.read_bytes()
    ready.unlink()
    assert artifact.archive(locked(data, str(tmp_path / "a")), tmp_path / "cache").read_bytes() == first


def test_wrong_sha_is_bad_input_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(tarball())
    with pytest.raises(InputError, match=r"SHA-256 of etcd 3\.5\.17 is wrong") as caught:
        artifact.archive(locked(b"other", str(tmp_path / "a")), tmp_path / "cache")
    assert caught.value.exit_code == ExitCode.BAD_INPUT
    assert caught.value.where == "artifacts.lock.yml:2:5"
    assert list((tmp_path / "cache").iterdir()) == []


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="artifact is missing"):
        artifact.archive(locked(b"", str(tmp_path / "none")), tmp_path / "cache")


@pytest.mark.parametrize("data", [tarball({"etcd": b"E"}), b"no archive at all", tarball()[:-40], b""])
def test_archives_that_are_no_etcd(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(InputError, match=r"no etcdctl|cannot be unpacked"):
        artifact.archive(locked(data, str(tmp_path / "a")), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_download_with_progress_then_cache(tmp_path: Path, server: Server) -> None:
    seen: list[tuple[int, int]] = []
    wanted = locked(server.data, url(server), "url")
    artifact.archive(wanted, tmp_path, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(server.data), len(server.data))
    artifact.archive(wanted, tmp_path)
    assert server.requests == [None]


def test_a_cut_download_continues(tmp_path: Path, server: Server) -> None:
    wanted = locked(server.data, url(server), "url")
    server.cut_at = 100
    with pytest.raises(CoreopsError, match="could not be downloaded") as caught:
        artifact.archive(wanted, tmp_path)
    assert "continues" in (caught.value.next or "")
    server.cut_at = None
    artifact.archive(wanted, tmp_path)
    assert server.requests == [None, "bytes=100-"]


def test_a_server_without_ranges_starts_over(tmp_path: Path, server: Server) -> None:
    wanted = locked(server.data, url(server), "url")
    (tmp_path / f"{wanted.sha256}.part").write_bytes(b"x" * 100)
    server.ranges = False
    artifact.archive(wanted, tmp_path)


def test_a_complete_part_is_enough(tmp_path: Path, server: Server) -> None:
    wanted = locked(server.data, url(server), "url")
    (tmp_path / f"{wanted.sha256}.part").write_bytes(server.data)
    artifact.archive(wanted, tmp_path)


def test_a_rotten_part_is_thrown_away(tmp_path: Path, server: Server) -> None:
    wanted = locked(server.data, url(server), "url")
    (tmp_path / f"{wanted.sha256}.part").write_bytes(b"x" * 100)
    with pytest.raises(InputError, match="SHA-256"):
        artifact.archive(wanted, tmp_path)
    artifact.archive(wanted, tmp_path)


def test_a_server_that_refuses(tmp_path: Path, server: Server) -> None:
    wanted = locked(server.data, url(server), "url")
    server.data = b""
    with pytest.raises(CoreopsError, match="could not be downloaded"):
        artifact.archive(wanted, tmp_path)


def test_the_real_one_runs(etcd_bin: Path) -> None:
    import subprocess

    said = subprocess.run([etcd_bin / "etcd", "--version"], capture_output=True, text=True, check=True).stdout
    assert said.startswith("etcd Version: 3.5.1")


def other(name: str, version: str, data: bytes, location: str, source: str = "path") -> Locked:
    digest = hashlib.sha256(data).hexdigest()
    return Locked(name, version, "amd64", digest, source, location, Position("artifacts.lock.yml", 2, 5))


def zipped(**files: bytes) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return raw.getvalue()


@pytest.mark.parametrize(
    "data", [b"\x7fELF" + b"n" * 500, b"#!/bin/sh\necho fake\n", zipped(LICENSE=b"l", nomad=b"\x7fELF" + b"n" * 500)]
)
def test_a_bare_program_or_a_zip_of_it(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "nomad-file").write_bytes(data)
    ready = artifact.archive(other("nomad", "1.7.7", data, str(tmp_path / "nomad-file")), tmp_path / "cache")
    assert ready.name.endswith(".nomad.tar.gz")
    ((name, (body, mode, _)),) = contents(ready).items()
    assert (name, mode) == ("nomad", 0o755)
    assert body in (data, b"\x7fELF" + b"n" * 500)


def test_a_bare_program_is_not_taken_for_one_of_two(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(data := b"\x7fELF etcd alone")
    with pytest.raises(InputError, match="cannot be unpacked"):
        artifact.archive(locked(data, str(tmp_path / "a")), tmp_path / "cache")


def test_the_wrong_archive(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(data := tarball())
    with pytest.raises(InputError, match=r"archive of nomad 1\.7\.7 has no nomad") as caught:
        artifact.archive(other("nomad", "1.7.7", data, str(tmp_path / "a")), tmp_path / "cache")
    assert "official nomad release" in (caught.value.next or "")


def test_images_travel_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "k3s-airgap-images-amd64.tar.zst"
    path.write_bytes(b"(zstd")
    assert artifact.archive(other("k3s-images", "v1.28.5+k3s1", b"(zstd", str(path)), tmp_path / "cache") == path


def test_images_from_a_mirror_keep_their_suffix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"(zstd"
    item = other("k3s-images", "v1.28.5+k3s1", data, "https://nowhere.invalid/images.tar.zst", "url")
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / item.sha256).write_bytes(data)
    for _ in range(2):
        found = artifact.archive(item, tmp_path / "cache", mirror=str(tmp_path / "mirror"))
        assert found.name == f"{item.sha256}.tar.zst"
        assert found.read_bytes() == data
