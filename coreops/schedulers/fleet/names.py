"""How inventory hosts are called in fleet: a metadata value, and the names of the units that coreops keeps for a host.

Pure. fleet's unit names are made of ``[0-9A-Za-z:-_.\\@]``; everything else in a host's name is written ``\\xNN``, as
systemd does it.
"""

from __future__ import annotations

import re

KEY = "coreops-host"
"""The metadata that says which host of the inventory a machine is."""
PREFIX = "00-coreops-"
"""Sorts before nearly all units: an agent asks its units in the order of their names whom they conflict with."""
_SAFE = re.compile(rb"[0-9A-Za-z:_.-]")
_NAME = re.compile(re.escape(PREFIX) + r"(.+)\.(\d+)\.service")
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")


def spelled(host: str) -> str:
    """The host's name in fleet."""
    data = host.encode()
    return "".join(chr(byte) if _SAFE.match(bytes([byte])) else f"\\x{byte:02x}" for byte in data)


def read(text: str) -> str:
    """What ``spelled`` was given."""
    raw = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    return raw.encode("latin-1", errors="replace").decode("utf-8", errors="replace")


def unit(host: str, number: int) -> str:
    """The name of the host's record with this number."""
    return f"{PREFIX}{spelled(host)}.{number}.service"


def of_unit(name: str) -> tuple[str, int] | None:
    """Whose record a unit is, and its number; None for a unit that is none."""
    found = _NAME.fullmatch(name)
    return (read(found[1]), int(found[2])) if found else None
