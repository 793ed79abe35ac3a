"""A unit of systemd or a file of networkd."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from coreops.cloudconfig.model.base import Line, Part

NETWORK = ("network", "netdev", "link")
SUFFIXES = (
    *("service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope"),
    *NETWORK,
)
Command = Literal["start", "stop", "restart", "reload", "try-restart", "reload-or-restart", "reload-or-try-restart"]


LONGEST = 240


def escaped(path: str) -> str:
    """A path as a part of a unit's name, as systemd-escape --path makes it."""
    text = path.strip("/")
    return "".join(
        "-" if c == "/" else c if re.fullmatch("[A-Za-z0-9:_]", c) or (c == "." and index) else _hex(c)
        for index, c in enumerate(text)
    )


def _hex(char: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in char.encode())


class DropIn(Part):
    """One of a unit's ``drop_ins``."""

    name: Annotated[Line, Field(pattern=r"^[^/\s][^/]*\.conf$")]
    content: str


class Unit(Part):
    """One of ``coreos.units``."""

    name: Annotated[Line, Field(pattern=r"^[0-9A-Za-z:_.\\@-]{1,240}\.(" + "|".join(SUFFIXES) + ")$")]
    content: str | None = None
    drop_ins: tuple[DropIn, ...] = ()
    mask: bool = False
    enable: bool = False
    runtime: bool = False
    command: Command | None = None

    @property
    def network(self) -> bool:
        """Does networkd read it, rather than systemd?"""
        return self.name.rpartition(".")[2] in NETWORK
