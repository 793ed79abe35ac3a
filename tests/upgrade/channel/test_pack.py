"""Images: packed, cut into frames, unpacked again."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import tempfile
import tracemalloc
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError, RefusedError
from coreops.upgrade.channel.frames import decompressed, frames, unpacked
from coreops.upgrade.channel.pack import CodecChoice, Packed, pack
from coreops.upgrade.release import Release


def packed(usr: bytes, kernel: bytes | None = None, **how: object) -> tuple[Packed, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        one, two = Path(folder) / "usr", Path(folder) / "kernel"
        one.write_bytes(usr)
        if kernel is not None:
            two.write_bytes(kernel)
        out = io.BytesIO()
        return pack(one, two if kernel is not None else None, out, **how), out.getvalue()  # type: ignore[arg-type]


def described(found: Packed) -> Release:
    return Release(version="1.0.0", board="amd64-usr", target="amd64-usr/1.0.0.usr", **asdict(found))


def joined(release: Release, chunks: Iterator[bytes]) -> dict[str, bytes]:
    parts = {"usr": b"", "kernel": b""}
    for frame, data in unpacked(chunks, release):
        assert frame.at == len(parts[frame.part])
        parts[frame.part] += data
    return parts


# Long runs and noise.
contents = st.lists(st.tuples(st.binary(min_size=1, max_size=20), st.integers(1, 60)), min_size=1, max_size=6).map(
    lambda runs: b"".join(word * times for word, times in runs)
)


@pytest.mark.slow
@given(
    contents,
    st.none() | contents,
    st.sampled_from(["auto", "none", "gzip", "zstd"]),
    st.integers(1, 700),
    st.integers(1, 500),
)
def test_what_goes_in_comes_out(usr: bytes, kernel: bytes | None, codec: CodecChoice, frame: int, cut: int) -> None:
    found, data = packed(usr, kernel, codec=codec, frame=frame)
    again, same = packed(usr, kernel, codec=codec, frame=frame)
    assert (found, data) == (again, same)
    release = described(found)
    assert release.size == len(data) == sum(release.frames)
    assert release.sha256 == hashlib.sha256(data).hexdigest()
    assert release.usr_sha256 == hashlib.sha256(usr).hexdigest()
    parts = joined(release, (data[at : at + cut] for at in range(0, len(data), cut)))
    assert parts == {"usr": usr, "kernel": kernel or b""}
    every = frames(release)
    assert [one.offset for one in every] == [sum(release.frames[:index]) for index in range(len(every))]
    for one in every:  # any frame by itself, as after a broken transfer
        alone = decompressed(data[one.offset : one.offset + one.length], release.codec, one.size)
        assert alone == parts[one.part][one.at : one.at + one.size]


def test_a_gzip_image_is_what_gzip_reads() -> None:
    usr = b"usr" * 5000
    found, data = packed(usr, b"kernel" * 100, frame=4096)
    assert found.codec == "gzip"
    assert gzip.decompress(data) == usr + b"kernel" * 100


@pytest.mark.parametrize(("share", "codec"), [(0.0, "none"), (0.03, "none"), (0.10, "gzip"), (1.0, "gzip")])
def test_only_what_gets_smaller_is_compressed(share: float, codec: str) -> None:
    noise = random.Random(7)
    blocks = [bytes(65536) if noise.random() < share else noise.randbytes(65536) for _ in range(160)]
    found, _ = packed(b"".join(blocks))
    assert found.codec == codec


def test_memory_stays_small(tmp_path: Path) -> None:
    usr = tmp_path / "usr"
    with usr.open("wb") as stream:
        stream.truncate(96 << 20)
    tracemalloc.start()
    try:
        with (tmp_path / "out").open("wb") as out:
            pack(usr, None, out, codec="none", frame=1 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 << 20


def test_bad_inputs(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "usr").write_bytes(b"x")
    with pytest.raises(InputError, match="the file is empty"):
        pack(tmp_path / "empty", None, io.BytesIO())
    with pytest.raises(InputError, match="the file is empty"):
        pack(tmp_path / "usr", tmp_path / "empty", io.BytesIO())
    with pytest.raises(InputError, match="there is no such file"):
        pack(tmp_path / "nothing", None, io.BytesIO())
    with pytest.raises(InputError, match="this is not a file"):
        pack(tmp_path, None, io.BytesIO())


def test_zstd_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    with pytest.raises(InputError, match="pip install zstandard"):
        packed(b"usr", codec="zstd")


@pytest.mark.parametrize("codec", ["none", "gzip", "zstd"])
def test_a_frame_that_is_not_as_long_as_it_should_be(codec: CodecChoice) -> None:
    found, data = packed(bytes(100_000), codec=codec, frame=100_000)
    for size in (0, 99_999, 100_001):
        with pytest.raises(RefusedError, match="cannot be unpacked"):
            decompressed(data, found.codec, size)
    for wrong in (data[:-1], data + b"x", b"", b"garbage"):
        with pytest.raises(RefusedError, match="cannot be unpacked"):
            decompressed(wrong, found.codec, 100_000)


@pytest.mark.slow
def test_a_bomb_does_not_go_off() -> None:
    found, data = packed(bytes(64 << 20), codec="gzip", frame=64 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(RefusedError):
            decompressed(data, found.codec, 1000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


def test_an_image_too_short_or_too_long() -> None:
    found, data = packed(b"usr" * 100, codec="none", frame=64)
    for wrong in (data[:-1], data + b"x"):
        with pytest.raises(RefusedError, match="cannot be unpacked"):
            joined(described(found), iter([wrong]))
