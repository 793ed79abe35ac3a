"""Which part of an image travels when. Pure: lengths and offsets; the node's scripts do the writing.

The image goes in parts, each a step of its own: a lost connection costs one part, a killed
controller the frames of one note. Frames that are on the node already are not sent again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from coreops.errors import InputError
from coreops.upgrade.release import Release

PART = 256 << 20
"""How much of the image file one step carries at most. Between two steps lies a round trip."""

NOTES = 4
SMALLEST_NOTE, LARGEST_NOTE = 16 << 20, 64 << 20
"""An image is noted so often, so far as that leaves so much of the slot's content between two notes of what is safely
written: each note has the node wait for its disk, and what was not noted a killed controller's successor sends again.
"""


@dataclass(frozen=True, slots=True)
class Part:
    """Frames ``first`` up to but not including ``end``; ``size`` bytes of the image file from ``offset`` on."""

    first: int
    end: int
    offset: int
    size: int


def parts(release: Release, done: int = 0, largest: int = PART, end: int | None = None) -> Iterator[Part]:
    """Cut what is left after ``done`` frames, up to ``end``, into parts of at most ``largest`` bytes, or one frame."""
    offset = sum(release.frames[:done])
    first, size = done, 0
    last = len(release.frames) if end is None else end
    for index in range(done, last):
        length = release.frames[index]
        if size and size + length > largest:
            yield Part(first, index, offset, size)
            first, offset, size = index, offset + size, 0
        size += length
    if size:
        yield Part(first, last, offset, size)


def usr_frames(release: Release) -> int:
    """How many frames are of /usr; the kernel's come after them."""
    return -(-release.usr_size // release.frame)


def batch(release: Release) -> int:
    """How many frames are written between two notes."""
    note = min(max(release.usr_size // NOTES, SMALLEST_NOTE), LARGEST_NOTE)
    return max(1, note // release.frame)


def check(release: Release) -> None:
    """Raises InputError when the frames cannot be this image's: nothing shall be sent that cannot end well."""
    frames = sum(-(-size // release.frame) for size in (release.usr_size, release.kernel_size))
    if len(release.frames) != frames or sum(release.frames) != release.size:
        raise InputError(
            f"the channel's description of {release.version} contradicts itself",
            why=f"{len(release.frames)} frames of {sum(release.frames)} bytes for an image of {release.size} bytes "
            f"that unpacks to {frames} frames",
            next="publish the release again",
        )
