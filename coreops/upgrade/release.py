"""A release: one version of the operating system for one board, and where in its image file what lies. Pure.

An image file is a row of frames, each compressed by itself (so that a broken transfer goes on at a frame). Unpacked and
joined they give the slot's ``/usr`` file system, followed by the kernel where the node boots its kernel from the slot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Codec = Literal["none", "gzip", "zstd"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a channel says about one version. All sizes in bytes, all digests SHA-256 in hexadecimal.

    target: the image's path in the repository. size, sha256: of the image file. frames: length of every frame as it
    stands in the file; frame: unpacked length of each but the last of usr and the last of kernel. usr_*, kernel_*: of
    what comes out; kernel_size 0: no kernel. min_from: the oldest version that may go to this one. barrier: nobody may
    skip this version. deadend: why nothing leads away from this version ("" when something does).
    """

    version: str
    board: str
    target: str
    size: int
    sha256: str
    codec: Codec
    frame: int
    frames: tuple[int, ...]
    usr_size: int
    usr_sha256: str
    kernel_size: int = 0
    kernel_sha256: str = ""
    min_from: str = ""
    barrier: bool = False
    deadend: str = ""
    notes: str = ""
