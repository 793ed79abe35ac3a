"""Whether user-data fits a platform, as it is or compressed."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from typing import Final

from coreops.cloudconfig.platforms.platform import Limit, Platform

_UNPACKED: Final = ("coreos", "cloud-init")
"""Targets whose readers unpack gzip; Ignition takes its config as it is."""
_NOT_HANDED_OVER: Final = "butane"


@dataclass(frozen=True, slots=True)
class Fit:
    """How user-data fits. over: bytes too many in the best form that the platform takes; 0: it fits in ``data``."""

    data: bytes
    zipped: bool = False
    size: int = 0
    most: int = 0
    over: int = 0
    unit: str = "bytes"


def fit(data: bytes, platform: Platform, target: str) -> Fit:
    """Return user-data as it can be handed to the platform: unchanged while that fits, else gzip where it is taken."""
    limit = platform.limit
    if limit is None or target == _NOT_HANDED_OVER:
        return Fit(data, size=len(data))
    plain = _measure(data, limit)
    if not plain.over or "gzip" not in platform.encodings or target not in _UNPACKED:
        return plain
    # No time in the header: the same user-data is the same bytes.
    small = _measure(gzip.compress(data, mtime=0), limit, zipped=True)
    return min(plain, small, key=lambda each: each.over)


def _measure(data: bytes, limit: Limit, *, zipped: bool = False) -> Fit:
    if limit.encoded is not None:
        size, most, unit = (len(data) + 2) // 3 * 4, limit.encoded, "bytes of base64"
    else:
        size, most, unit = len(data), limit.raw or 0, "bytes"
    return Fit(data, zipped, size, most, max(size - most, 0), unit)
