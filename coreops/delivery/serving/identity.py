"""What a machine calls itself: MAC, UUID, serial number, address; each in one spelling. Pure.

``check`` is for what an operator wrote and says what is wrong; ``spelled`` is for what a machine sent.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from coreops.serving.listen import address

Kind = Literal["mac", "uuid", "serial", "ip"]
KINDS: Final[tuple[Kind, ...]] = ("mac", "uuid", "serial", "ip")

LONGEST: Final = 256
_MAC = re.compile(r"[0-9a-f]{12}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_ETHERNET = "01"
_NOBODYS = {
    "mac": {"000000000000", "ffffffffffff"},
    # The last one is what many boards say whose maker left the field alone.
    "uuid": {"0" * 32, "f" * 32, "03000200040005000006000700080009"},
    "serial": {
        "0",
        "123456789",
        "0123456789",
        "default string",
        "n/a",
        "none",
        "not applicable",
        "not available",
        "not specified",
        "system serial number",
        "to be filled by o.e.m.",
        "unknown",
    },
}


def spelled(kind: Kind, text: str) -> str | None:
    """Return a name in its one spelling; None when it is no such name, or one that many machines share."""
    found = _SPELL[kind](text.strip()) if len(text) <= LONGEST else None
    return None if found is None or _bare(found) in _NOBODYS.get(kind, ()) else found


def check(kind: Kind, value: object) -> str | None:
    """Return why ``value`` names no machine, None when it does."""
    if not isinstance(value, str):
        return f"it must be text, not {value}: quote it (YAML reads digits, also with colons, as a number)"
    if (found := spelled(kind, value)) is not None:
        if kind == "mac" and int(found[:2], 16) & 1:
            return "it is a group address; no machine has it for its own"
        return None
    if (found := _SPELL[kind](value.strip())) is not None and len(value) <= LONGEST:
        return f"{found} is a placeholder: many machines say it"
    return f"{value[:60]!r} is no {_NAMES[kind]}"


def swapped(uuid: str) -> str:
    """The UUID with its first three fields in the other byte order, as SMBIOS before 2.6 and some Redfish write it."""
    raw = bytes.fromhex(_bare(uuid))
    return _hyphens((raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:]).hex())


_NAMES: Final = {"mac": "MAC address", "uuid": "UUID", "serial": "serial number", "ip": "address"}


def _mac(text: str) -> str | None:
    found = _bare(text)
    if len(found) == 14 and found.startswith(_ETHERNET):  # PXE's spelling: the kind of hardware comes first
        found = found[2:]
    return ":".join(found[at : at + 2] for at in range(0, 12, 2)) if _MAC.fullmatch(found) else None


def _uuid(text: str) -> str | None:
    found = _bare(text.lower().removeprefix("urn:uuid:").strip("{}"))
    return _hyphens(found) if _UUID.fullmatch(found) else None


def _serial(text: str) -> str | None:
    return text.casefold() if text and text.isprintable() else None


_SPELL: Final = {"mac": _mac, "uuid": _uuid, "serial": _serial, "ip": address}


def _bare(text: str) -> str:
    return re.sub(r"[:.-]", "", text.lower()) if _looks_hex(text) else text


def _looks_hex(text: str) -> bool:
    return re.fullmatch(r"[0-9a-fA-F:.-]+", text, re.ASCII) is not None


def _hyphens(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
