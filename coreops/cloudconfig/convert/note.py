"""What a reader has to know of a conversion, line by line. Knows no key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from coreops.model import Position

Kind = Literal["ignored", "changed", "note"]


@dataclass(frozen=True, slots=True)
class Note:
    """ignored: coreos-cloudinit did not use it, nor does the result. changed: written otherwise. note: runs otherwise.

    None of them is a loss: the new machine is what the old one was, as far as a file can make it.
    """

    kind: Kind
    key: str
    text: str
    at: Position | None = None

    def __str__(self) -> str:
        return f"{self.kind}: {self.key}{f' ({self.at})' if self.at else ''} -- {self.text}"
