"""Makes an image file of a usr file system and a kernel: a row of frames, each compressed by itself.

The same input gives the same bytes. Reads every input once (and samples of it before, to choose the codec), holds a few
frames in memory, hashes what goes in and what comes out.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from coreops.errors import InputError
from coreops.upgrade.channel.frames import FRAME, load_zstandard
from coreops.upgrade.release import Codec

CodecChoice = Literal["auto", "none", "gzip", "zstd"]
CODECS: tuple[CodecChoice, ...] = ("auto", "none", "gzip", "zstd")
WORTH_IT = 0.95
"""Compress only what gets smaller than this; a squashfs does not."""
_SAMPLES = 16
_SAMPLE = 256 << 10

Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Packed:
    """What an image file holds; the words are Release's."""

    size: int
    sha256: str
    codec: Codec
    frame: int
    frames: tuple[int, ...]
    usr_size: int
    usr_sha256: str
    kernel_size: int = 0
    kernel_sha256: str = ""


def pack(
    usr: Path,
    kernel: Path | None,
    out: IO[bytes],
    *,
    codec: CodecChoice = "auto",
    frame: int = FRAME,
    tell: Tell = lambda done, total: None,
) -> Packed:
    """Write the image to ``out``. Raises InputError for an input that is missing, empty or changes under our hands."""
    parts = [usr] if kernel is None else [usr, kernel]
    totals = [_size(part) for part in parts]
    chosen: Codec = _choose(usr) if codec == "auto" else codec
    compress = _compressor(chosen)
    whole = hashlib.sha256()
    lengths: list[int] = []
    digests: list[str] = []
    done = 0
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for part, total in zip(parts, totals, strict=True):
            inside = hashlib.sha256()
            read = 0
            for data, packed in _ahead(pool, compress, _chunks(part, frame)):
                inside.update(data)
                whole.update(packed)
                out.write(packed)
                lengths.append(len(packed))
                read += len(data)
                tell(done + read, sum(totals))
            if read != total:
                raise InputError(
                    "the file changes while it is read", where=part, next="publish a file nobody writes to"
                )
            done += read
            digests.append(inside.hexdigest())
    return Packed(
        sum(lengths),
        whole.hexdigest(),
        chosen,
        frame,
        tuple(lengths),
        totals[0],
        digests[0],
        *((totals[1], digests[1]) if kernel else ()),
    )


def _size(path: Path) -> int:
    if not path.is_file():
        raise InputError("there is no such file" if not path.exists() else "this is not a file", where=path)
    size = path.stat().st_size
    if not size:
        raise InputError("the file is empty", where=path, next="build the image again")
    return size


def _chunks(path: Path, frame: int) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while data := stream.read(frame):
            yield data


def _ahead(
    pool: ThreadPoolExecutor, compress: Callable[[bytes], bytes], chunks: Iterator[bytes]
) -> Iterator[tuple[bytes, bytes]]:
    """Every chunk with what it compresses to, in order; a few are under way at a time."""
    window = (os.cpu_count() or 1) + 1
    under_way: deque[tuple[bytes, Future[bytes]]] = deque()
    for chunk in chunks:
        under_way.append((chunk, pool.submit(compress, chunk)))
        if len(under_way) >= window:
            data, future = under_way.popleft()
            yield data, future.result()
    for data, future in under_way:
        yield data, future.result()


def _choose(path: Path) -> Codec:
    """gzip when samples from all over the file say that it is worth it."""
    size = path.stat().st_size
    read = packed = 0
    with path.open("rb") as stream:
        for index in range(_SAMPLES):
            stream.seek(max(0, size - _SAMPLE) * index // (_SAMPLES - 1))
            data = stream.read(_SAMPLE)
            read += len(data)
            packed += len(_gzipped(data))
    return "gzip" if packed < WORTH_IT * read else "none"


def _compressor(codec: Codec) -> Callable[[bytes], bytes]:
    if codec == "none":
        return bytes
    if codec == "gzip":
        return _gzipped
    zstandard = load_zstandard()
    return lambda data: zstandard.ZstdCompressor(level=12, write_checksum=True).compress(data)


def _gzipped(data: bytes) -> bytes:
    # zlib writes a header without name and time, so that the same data gives the same bytes.
    return zlib.compress(data, 6, wbits=31)
