"""Where each frame of an image lies, packed and unpacked; and how to unpack one. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

from coreops.errors import InputError, RefusedError
from coreops.upgrade.release import Codec, Release

FRAME = 4 << 20
LARGEST_FRAME = 64 << 20


@dataclass(frozen=True, slots=True)
class Frame:
    """offset, length: in the image file. at, size: in the part that comes out."""

    part: Literal["usr", "kernel"]
    offset: int
    length: int
    at: int
    size: int


def sizes(total: int, frame: int) -> list[int]:
    """The unpacked length of every frame of a part of ``total`` bytes."""
    whole, rest = divmod(total, frame)
    return [frame] * whole + ([rest] if rest else [])


def frames(release: Release) -> tuple[Frame, ...]:
    """All frames of an image in their order."""
    found = []
    offset = index = 0
    parts: tuple[tuple[Literal["usr", "kernel"], int], ...] = (
        ("usr", release.usr_size),
        ("kernel", release.kernel_size),
    )
    for part, total in parts:
        at = 0
        for size in sizes(total, release.frame):
            length = release.frames[index]
            found.append(Frame(part, offset, length, at, size))
            offset, at, index = offset + length, at + size, index + 1
    return tuple(found)


def decompressed(data: bytes, codec: Codec, size: int) -> bytes:
    """One frame unpacked. Never makes more than ``size`` bytes; raises RefusedError when it is not that many."""
    if codec == "none":
        out = data
    elif codec == "gzip":
        out = _gunzipped(data, size)
    else:
        out = _unzstd(data, size)
    if len(out) != size:
        raise _broken(f"{len(out)} bytes came out, {size} were expected")
    return out


def _gunzipped(data: bytes, size: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        out = unpacker.decompress(data, size + 1)
    except zlib.error as error:
        raise _broken(str(error)) from error
    if not unpacker.eof or unpacker.unused_data or unpacker.unconsumed_tail:
        raise _broken("it is not one whole gzip member")
    return out


def _unzstd(data: bytes, size: int) -> bytes:
    zstandard = load_zstandard()
    try:
        promised = zstandard.get_frame_parameters(data).content_size
        if promised != size:  # before memory is taken for it
            raise _broken(f"{promised} bytes would come out, {size} were expected")
        out: bytes = zstandard.ZstdDecompressor().decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise _broken(str(error)) from error
    return out


def load_zstandard() -> ModuleType:
    """The package zstandard, which coreops does not depend on. Raises InputError."""
    try:
        import zstandard
    except ImportError:
        raise InputError(
            "zstd needs the Python package zstandard", next="pip install zstandard, or use --codec gzip"
        ) from None
    return zstandard


def _broken(why: str) -> RefusedError:
    return RefusedError("a frame of the image cannot be unpacked", why=why, next="publish the release again")


def unpacked(chunks: Iterable[bytes], release: Release) -> Iterator[tuple[Frame, bytes]]:
    """Cut a stream of an image's bytes into frames and unpack them one by one. Holds one frame at a time."""
    stream = iter(chunks)
    have = bytearray()
    for frame in frames(release):
        while len(have) < frame.length:
            chunk = next(stream, None)
            if chunk is None:
                raise _broken(f"the image ends inside the frame at byte {frame.offset}")
            have += chunk
        data = bytes(have[: frame.length])
        del have[: frame.length]
        yield frame, decompressed(data, release.codec, frame.size)
    if have or next(stream, None):
        raise _broken("the image goes on after its last frame")
