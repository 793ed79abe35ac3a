"""Which version each channel has for each board: the signed target ``channels.json``, strictly read. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from coreops.errors import InputError

TARGET = "channels.json"
LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Channels:
    """board -> channel -> version."""

    boards: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def moved(self, channel: str, board: str, version: str) -> Channels:
        """The same with one channel moved."""
        return Channels({**self.boards, board: {**self.boards.get(board, {}), channel: version}})

    def names(self) -> list[str]:
        """All channels of all boards."""
        return sorted({name for channels in self.boards.values() for name in channels})


def encode(channels: Channels) -> bytes:
    """The same channels give the same bytes."""
    return json.dumps({"boards": channels.boards}, sort_keys=True, indent=1).encode() + b"\n"


def decode(data: bytes, where: object = None) -> Channels:
    """Read what ``encode`` wrote; unknown keys are left alone. Raises InputError."""
    try:
        boards = json.loads(data)["boards"]
        right = isinstance(boards, dict) and all(
            isinstance(channels, dict) and all(isinstance(version, str) for version in channels.values())
            for channels in boards.values()
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        right = False
    if not right:
        raise InputError(
            f"{TARGET} of the repository cannot be read", where=where, next="publish with the current coreops"
        )
    return Channels(boards)
